#include "cli/client.h"
#include "cli/run.h"

#include "base/mem.h"
#include "base/secret.h"

#include <qrencode.h>
#include <unistd.h>

#define QUIET 2 /* modules of border; the standard asks for 4, cameras are content with 2 */

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1) != 0;
}

/* Two rows of modules in one line of text. Light modules are drawn, dark ones are left: right on
 * the dark terminals that most people have; where colours can be set, they are. */
static void draw(const QRcode *code, bool is_coloured, FILE *out)
{
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        (void)fputs(is_coloured ? "\033[97;40m" : "", out);
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            const bool is_top_light = !is_dark(code, x, y);
            const bool is_bottom_light = !is_dark(code, x, y + 1);
            (void)fputs(is_top_light      ? (is_bottom_light ? "█" : "▀")
                        : is_bottom_light ? "▄"
                                          : " ",
                        out);
        }
        (void)fputs(is_coloured ? "\033[0m\n" : "\n", out);
    }
}

static void show_code(const struct wire_message *m, const union wire_any *row)
{
    AUTO_BUF(uri, 1024);

    if (m->number != WIRE_row_totp)
        return;
    buf_put(&uri, row->row_totp.otpauth);
    const char *text = buf_cstr(&uri);
    QRcode *code = text == NULL ? NULL : QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code == NULL)
        return; /* the address below serves as well */
    draw(code, isatty(STDOUT_FILENO), stdout);
    secret_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
}

int run_totp_enrol(const struct invocation *i)
{
    const struct wire_totp_enrol m = { .account = view_text(i->operand) };

    return client_run(i, &(struct client_request){ .number = WIRE_totp_enrol,
                                                   .message = &m,
                                                   .form = RENDER_CARD,
                                                   .on_row = show_code });
}
