#include "proto/smtp/guard_address.h"

#include "base/limits.h"

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* Dots may stand anywhere: there are mailboxes with "a..b@", and nobody reads them in two ways. */
static bool is_local_octet(uint8_t c)
{
    return is_alphanumeric(c) || (c > ' ' && c < 0x7f && strchr(".!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_domain_octet(uint8_t c)
{
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
}

/* Whoever splits a command at spaces or brackets first and looks at quotes later would find other
 * words than we do: none of them here. */
static size_t quoted_octets(struct view v)
{
    for (size_t i = 1; i < v.n; i++) {
        if (v.p[i] == '"')
            return i + 1;
        if (v.p[i] == ' ' || v.p[i] == '<' || v.p[i] == '>')
            return 0;
        if (v.p[i] == '\\' && i + 1 < v.n && (v.p[i + 1] == '"' || v.p[i + 1] == '\\'))
            i++;
    }
    return 0;
}

static size_t local_octets(struct view v)
{
    size_t n = 0;

    if (v.n > 0 && v.p[0] == '"')
        return quoted_octets(v);
    while (n < v.n && is_local_octet(v.p[n]))
        n++;
    return n;
}

static size_t domain_octets(struct view v)
{
    size_t n = 0;

    if (v.n > 0 && v.p[0] == '[') {
        for (n = 1; n < v.n && v.p[n] != ']'; n++)
            if (!is_alphanumeric(v.p[n]) && v.p[n] != '.' && v.p[n] != ':' && v.p[n] != '-')
                return 0;
        return n < v.n && n > 1 ? n + 1 : 0;
    }
    while (n < v.n && is_domain_octet(v.p[n]))
        n++;
    return n;
}

bool smtp_path_take(struct view *v, struct smtp_path *ret)
{
    if (v->n == 0 || v->p[0] != '<')
        return false;
    *ret = (struct smtp_path){ 0 };
    struct view rest = view_skip(*v, 1);
    const struct view address = rest;
    const size_t local = local_octets(rest);
    ret->is_quoted = local > 0 && rest.p[0] == '"';
    rest = view_skip(rest, local);
    if (local > 0 && rest.n > 0 && rest.p[0] == '@') {
        rest = view_skip(rest, 1);
        ret->domain = view_first(rest, domain_octets(rest));
        if (ret->domain.n == 0)
            return false;
        rest = view_skip(rest, ret->domain.n);
    }
    ret->address = view_first(address, address.n - rest.n);
    if (rest.n == 0 || rest.p[0] != '>' || ret->address.n > LIMIT_ACCOUNT)
        return false;
    *v = view_skip(rest, 1);
    return true;
}

bool smtp_path_is_own(const struct smtp_path *path, struct view senders)
{
    const struct view address = path->address;

    if (address.n == 0)
        return true;
    if (path->domain.n == 0 || path->is_quoted)
        return false;
    /* "victim%example.net@" and "example.net!victim@" are older ways to name another mailbox. */
    const struct view local = view_first(address, address.n - path->domain.n - 1);
    const bool is_plain = view_find(local, '%') == local.n && view_find(local, '!') == local.n;
    while (senders.n > 0) {
        const struct view one = view_first(senders, view_find(senders, ' '));
        senders = view_skip(senders, one.n + 1);
        if (view_is_equal_nocase(address, one))
            return true;
        if (is_plain && one.n > 1 && one.p[0] == '@' &&
            view_is_equal_nocase(path->domain, view_skip(one, 1)))
            return true;
    }
    return false;
}
