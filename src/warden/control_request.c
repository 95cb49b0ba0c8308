#include "warden/control_inner.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void request_fail(struct request *r, enum err status, const char *format, ...)
{
    va_list args;

    CHECK(status != ERR_OK);
    r->status = status;
    va_start(args, format);
    (void)vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
}

void request_say(struct request *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
}

void request_fail_store(struct request *r, enum err e)
{
    request_fail(r,
                 e == ERR_MEMORY ? ERR_MEMORY
                 : e == ERR_BUSY ? ERR_BUSY
                                 : ERR_IO,
                 "the store is out of service (%s): see the log of the service, and whether its "
                 "disk is full; then try again",
                 err_text(e));
}

void request_row(struct request *r, enum wire_number number, const void *row)
{
    AUTO_BUF(frame, LIMIT_FRAME);

    if (wire_encode(number, row, &frame) != ERR_OK) {
        r->rows.is_failed = true;
        return;
    }
    const uint32_t n = (uint32_t)frame.n;
    buf_put(&r->rows, view_of(&n, sizeof(n)));
    buf_put(&r->rows, buf_view(&frame));
}

static void fill_event(const struct request *r, struct store_event *e, enum event_kind kind,
                       const char *credential, const char *reason)
{
    char actor[32];

    (void)snprintf(actor, sizeof(actor), "uid %u", (unsigned)r->uid);
    e->at = r->w->wall_s();
    event_copy(e->kind, sizeof(e->kind), view_text(event_text(kind)));
    event_copy(e->account, sizeof(e->account), view_text(r->account));
    event_copy(e->credential, sizeof(e->credential), view_text(credential));
    event_copy(e->reason, sizeof(e->reason), view_text(reason));
    event_copy(e->actor, sizeof(e->actor), view_text(actor));
}

static void log_act(const struct request *r, enum event_kind kind, const char *credential)
{
    log_event(LOG_INFO, event_text(kind), LOG_TEXT("account", r->account),
              LOG_TEXT("credential", credential), LOG_NUM("uid", r->uid));
}

void request_record(struct request *r, enum event_kind kind, const char *credential,
                    const char *reason)
{
    struct store_write write = { .kind = STORE_WRITE_EVENT };

    fill_event(r, &write.event, kind, credential, reason);
    const enum err e = store_write(r->w->store, &write, 1);
    if (e != ERR_OK)
        request_fail(r, ERR_IO, "done, but the event log could not be written (%s)", err_text(e));
    r->is_recorded = e == ERR_OK;
    log_act(r, kind, credential);
}

void request_record_later(struct request *r, enum event_kind kind, const char *credential,
                          const char *reason)
{
    struct store_write *write = writer_next(r->w->writer);

    log_act(r, kind, credential);
    if (write == NULL)
        return;
    write->kind = STORE_WRITE_EVENT;
    fill_event(r, &write->event, kind, credential, reason);
}

void control_changed(struct request *r)
{
    rows_forget(r->w->rows);
    throttle_forget_answers(r->w->throttle);
    stale_forget(r->w->stale);
}

void request_revoked(struct request *r)
{
    r->w->revision++;
    control_changed(r);
}

bool request_needs_account(struct request *r, struct store_account *ret)
{
    const enum err e = store_account_find(r->w->store, r->account, ret);

    if (e == ERR_NOT_FOUND)
        request_fail(r, e, "there is no account %s: add it with \"postern account add %s\"",
                     r->account, r->account);
    else if (e != ERR_OK)
        request_fail_store(r, e);
    return e == ERR_OK;
}
