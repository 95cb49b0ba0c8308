#include "warden/account.h"

#define LOCAL_MAX 64 /* RFC 5321 §4.5.3.1.1 */

/* Octets of the well-formed UTF-8 sequence at the start of `v`, or 0 (RFC 3629 §4). */
static size_t utf8_length(struct view v)
{
    const uint8_t a = v.p[0];
    const size_t n = a < 0x80                ? 1
                     : a >= 0xc2 && a < 0xe0 ? 2
                     : a >= 0xe0 && a < 0xf0 ? 3
                     : a >= 0xf0 && a < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > v.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((v.p[i] & 0xc0) != 0x80)
            return 0;
    if (n >= 3 && ((a == 0xe0 && v.p[1] < 0xa0) || (a == 0xed && v.p[1] > 0x9f) ||
                   (a == 0xf0 && v.p[1] < 0x90) || (a == 0xf4 && v.p[1] > 0x8f)))
        return 0;
    return n;
}

bool account_is_printable(struct view text)
{
    while (text.n > 0) {
        const size_t n = utf8_length(text);
        /* C1 controls are two octets in UTF-8: c2 80 to c2 9f. */
        if (n == 0 || text.p[0] < 0x20 || text.p[0] == 0x7f ||
            (text.p[0] == 0xc2 && text.p[1] < 0xa0))
            return false;
        text = view_skip(text, n);
    }
    return true;
}

static bool is_local(struct view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || strchr("\"(),:;<>[\\]*%", v.p[i]) != NULL)
            return false;
    return v.n > 0 && v.n <= LOCAL_MAX && account_is_printable(v);
}

static bool is_domain(struct view v)
{
    if (v.n == 0 || v.p[0] == '.' || v.p[0] == '-' || v.p[v.n - 1] == '.' || v.p[v.n - 1] == '-')
        return false;
    for (size_t i = 0; i < v.n; i++) {
        const uint8_t c = v.p[i];
        const bool is_sound = c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!is_sound || (c == '.' && v.p[i - 1] == '.'))
            return false;
    }
    return account_is_printable(v);
}

static struct view trim(struct view v)
{
    while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
        v = view_skip(v, 1);
    while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
        v.n--;
    return v;
}

bool account_normalise(struct view text, const char *domain, char ret[STORE_NAME])
{
    const struct view name = trim(text);
    const size_t at = view_find(name, '@');
    const struct view local = view_first(name, at);
    const struct view host = at < name.n ? view_skip(name, at + 1) : view_text(domain);
    const size_t n = local.n + 1 + host.n;

    ret[0] = '\0';
    if (n >= STORE_NAME || !is_local(local) || !is_domain(host))
        return false;
    memcpy(ret, local.p, local.n);
    ret[local.n] = '@';
    memcpy(ret + local.n + 1, host.p, host.n);
    ret[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (ret[i] >= 'A' && ret[i] <= 'Z')
            ret[i] = (char)(ret[i] | 0x20);
    return true;
}
