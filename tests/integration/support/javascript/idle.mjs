// Logs in with imapflow, idles in the INBOX, and tells each message that arrives: one JSON a line.
// Standard input: one line with host, port, user and pass; its end asks us to log out.
import readline from 'node:readline';
import { ImapFlow } from 'imapflow';

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const input = readline.createInterface({ input: process.stdin });
const { host, port, user, pass } = JSON.parse((await input[Symbol.asyncIterator]().next()).value);

const client = new ImapFlow({
    host, port, secure: true, auth: { user, pass }, logger: false, maxIdleTime: 60_000,
});
client.on('error', (error) => say({ error: error.message }));
client.on('close', () => say({ closed: true }));
client.on('exists', async ({ count }) => {
    const message = await client.fetchOne(count, { envelope: true });
    say({ arrived: message.envelope.subject });
});

try {
    await client.connect();
} catch (error) {
    say({ refused: error.responseText ?? error.message, code: error.serverResponseCode });
    process.exit(2);
}
await client.mailboxOpen('INBOX');
say({ open: client.mailbox.exists, capabilities: [...client.capabilities.keys()] });
process.stdin.on('end', async () => {
    await client.logout();
    process.exit(0);
});
client.idle();
