"""Scripts for support.faulty of POP3, submission and ManageSieve upstreams, with one fault each."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dialogue:
    """What an upstream of one protocol says."""

    protocol: str
    implicit: str          # schemes of its URLs
    explicit: str
    greeting: bytes        # {words}: with the capabilities, when the protocol greets with them
    ask: bytes             # the client's word for capabilities, and the answer with {words}
    capabilities: bytes
    clear_words: bytes     # before TLS
    starttls_word: bytes   # the one of them that offers TLS
    tls_words: bytes       # under TLS
    starttls: bytes        # the client's word, and the two answers
    agreed: bytes
    declined: bytes
    logins: tuple          # the client's words that carry a credential
    accepted: bytes
    busy: bytes            # a greeting that sends away
    injected: bytes        # what an attacker puts behind `agreed`
    is_unasked: bool = field(default=False)  # capabilities come by themselves after STARTTLS

    def words(self, is_tls, has_starttls):
        if is_tls:
            return self.tls_words
        return self.clear_words + (self.starttls_word if has_starttls else b"")

    def has_credential(self, heard):
        """Whether a word with a credential was among what the upstream heard."""
        return any(word in heard.upper() for word in self.logins)

    def script(self, fault=""):
        """A script: all well, or "stripped", "declined", "injected", "busy" or "hangs"."""
        def run(talk):
            self._run(talk, fault)
        return run

    def _run(self, talk, fault):
        is_tls = talk.is_tls
        has_starttls = fault != "stripped"
        if fault == "hangs":
            talk.drain()
            return
        if fault == "busy":
            talk.say(self.busy)
            return
        talk.say(self.greeting.replace(b"{words}", self.words(is_tls, has_starttls)))
        while line := talk.line():
            word = line.upper()
            if word.startswith(self.ask):
                talk.say(self.capabilities.replace(b"{words}", self.words(is_tls, has_starttls)))
            elif word.startswith(self.starttls) and fault == "declined":
                talk.say(self.declined)
            elif word.startswith(self.starttls):
                talk.say(self.agreed + (self.injected if fault == "injected" else b""))
                talk.tls()
                is_tls = True
                if self.is_unasked:
                    talk.say(self.greeting.replace(b"{words}", self.words(True, True)))
            else:
                talk.say(self.accepted)


POP3 = Dialogue(
    "pop3", "pop3s", "pop3", b"+OK ready\r\n", b"CAPA", b"+OK\r\n{words}.\r\n",
    b"UIDL\r\n", b"STLS\r\n", b"UIDL\r\nUSER\r\nSASL PLAIN\r\n",
    b"STLS", b"+OK go on\r\n", b"-ERR not today\r\n", (b"USER ", b"PASS ", b"AUTH "), b"+OK\r\n",
    b"-ERR [SYS/TEMP] too busy\r\n", b"+OK injected\r\n")
SUBMISSION = Dialogue(
    "submission", "submissions", "submission", b"220 mail.example.org ESMTP\r\n", b"EHLO",
    b"250-mail.example.org\r\n{words}250 8BITMIME\r\n",
    b"250-PIPELINING\r\n", b"250-STARTTLS\r\n", b"250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n",
    b"STARTTLS", b"220 2.0.0 go on\r\n", b"454 4.7.0 not today\r\n", (b"AUTH ",), b"235 2.7.0\r\n",
    b"421 4.3.2 too busy\r\n", b"250-mail.example.org\r\n250 AUTH PLAIN\r\n")
SIEVE = Dialogue(
    "sieve", "sieves", "sieve", b'"IMPLEMENTATION" "faulty"\r\n"VERSION" "1.0"\r\n{words}OK\r\n',
    b"CAPABILITY", b'"IMPLEMENTATION" "faulty"\r\n"VERSION" "1.0"\r\n{words}OK\r\n',
    b'"SIEVE" "fileinto"\r\n"SASL" ""\r\n', b'"STARTTLS"\r\n',
    b'"SIEVE" "fileinto"\r\n"SASL" "PLAIN"\r\n',
    b"STARTTLS", b"OK\r\n", b"NO\r\n", (b"AUTHENTICATE",), b"OK\r\n",
    b'BYE (TRYLATER) "too busy"\r\n', b'"SASL" "PLAIN"\r\nOK\r\n', is_unasked=True)
ALL = (POP3, SUBMISSION, SIEVE)
