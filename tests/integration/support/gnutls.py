"""A TLS 1.3 client that changes its keys as often as one likes: Python's cannot, GnuTLS can."""

import contextlib
import ctypes

CLIENT, CERTIFICATE = 2, 1
AGAIN, INTERRUPTED = -28, -52


def _library():
    library = ctypes.CDLL("libgnutls.so.30")
    library.gnutls_transport_set_int2.restype = None
    return library


class Client:
    """TLS over a connected socket (the caller's), certificates unverified."""

    def __init__(self, stream):
        self.library = _library()
        self.stream = stream
        stream.settimeout(None)  # GnuTLS reads the descriptor itself, blocking
        self.session, self.trust = ctypes.c_void_p(), ctypes.c_void_p()
        self._must(self.library.gnutls_certificate_allocate_credentials(ctypes.byref(self.trust)))
        self._must(self.library.gnutls_init(ctypes.byref(self.session), CLIENT))
        self._must(self.library.gnutls_priority_set_direct(
            self.session, b"NORMAL:-VERS-ALL:+VERS-TLS1.3", None))
        self._must(self.library.gnutls_credentials_set(self.session, CERTIFICATE, self.trust))
        self.library.gnutls_transport_set_int2(self.session, stream.fileno(), stream.fileno())
        self.library.gnutls_handshake_set_timeout(self.session, 5000)
        while (status := self.library.gnutls_handshake(self.session)) in (AGAIN, INTERRUPTED):
            pass
        self._must(status)

    @staticmethod
    def _must(status):
        if status < 0:
            raise OSError(f"GnuTLS says {status}")

    def key_updates(self, most):
        """Sends so many KeyUpdate messages; returns how many the kernel took."""
        for count in range(most):
            if self.library.gnutls_session_key_update(self.session, 0) < 0:
                return count
        return most

    def close(self):
        self.library.gnutls_deinit(self.session)
        self.library.gnutls_certificate_free_credentials(self.trust)
        with contextlib.suppress(OSError):
            self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
