/* For -Db_sanitize=memory: libgsasl and libidn are not instrumented, so that what they write would
 * count as never written. This stands around the one call into them (-Wl,--wrap). */
#include <gsasl.h>
#include <sanitizer/msan_interface.h>
#include <string.h>

int __real_gsasl_saslprep(const char *in, Gsasl_saslprep_flags flags, char **out, int *rc);
int __wrap_gsasl_saslprep(const char *in, Gsasl_saslprep_flags flags, char **out, int *rc);

int __wrap_gsasl_saslprep(const char *in, Gsasl_saslprep_flags flags, char **out, int *rc)
{
    __msan_check_mem_is_initialized(in, strlen(in) + 1);
    __msan_scoped_disable_interceptor_checks();
    const int status = __real_gsasl_saslprep(in, flags, out, rc);
    __msan_unpoison(out, sizeof(*out));
    if (status == GSASL_OK)
        __msan_unpoison_string(*out);
    __msan_scoped_enable_interceptor_checks();
    return status;
}
