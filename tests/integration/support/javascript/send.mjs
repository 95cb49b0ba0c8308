// Submits one message with nodemailer, and tells the server's last word as JSON.
// Standard input: one line with host, port, secure, user, pass, from, to and raw (in base64).
import readline from 'node:readline';
import nodemailer from 'nodemailer';

const input = readline.createInterface({ input: process.stdin });
const { host, port, secure, user, pass, from, to, raw } =
    JSON.parse((await input[Symbol.asyncIterator]().next()).value);

const transport = nodemailer.createTransport({
    host, port, secure, requireTLS: !secure, auth: { user, pass },
});
try {
    const { response } = await transport.sendMail({
        envelope: { from, to }, raw: Buffer.from(raw, 'base64'),
    });
    process.stdout.write(JSON.stringify({ response }) + '\n');
} catch ({ code, responseCode, response, message }) {
    process.stdout.write(JSON.stringify({ code, responseCode, response, message }) + '\n');
    process.exitCode = 2;
}
process.stdin.destroy();
