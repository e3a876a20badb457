// WebSocket clients behind one set of commands (see w3c.mjs), wherever they run: what rules.mjs is asked of.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Inbox } from './client.mjs';

const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';  // the system's, because its packages are Debian's
const DRIVER = join(dirname(fileURLToPath(import.meta.url)), 'driver.py');

const pack = data => typeof data === 'string' ? { text: data } : { binary: data.toString('base64') };
const unpack = item => 'binary' in item ? Buffer.from(item.binary, 'base64') : item.text ?? item;

// call(op, arguments) resolves with the driver's answer.
export function makeClient(call) {
  let count = 0;
  return {
    // A socket, or what the client shows of a refusal as `refused`.
    async open(url, protocols = []) {
      const id = count += 1;
      const ask = (op, args) => call(op, { id, ...args });
      const next = async () => unpack(await ask('next'));
      return {
        ...await ask('open', { url, protocols }),
        next,  // -> text, a Buffer, or { close: { code, reason } }
        nextJson: async () => JSON.parse(await next()),
        send: data => ask('send', { message: pack(data) }),
        sendFragments: parts => ask('fragments', { parts: parts.map(pack) }),
        ping: data => ask('ping', { data }),  // resolves with the pong
        pause: () => ask('pause'),
        resume: () => ask('resume'),
        close: (code = 1000, reason = '') => ask('close', { code, reason }),
      };
    },
  };
}

export const makeLocalClient = driver => makeClient(async (op, args) => driver[op](args));

// One of the clients of driver.py, in a process of its own.
export function startPython(name) {
  const child = spawn(PYTHON, [DRIVER, name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = new Inbox(), ended = once(child, 'close');
  createInterface({ input: child.stdout }).on('line', line => answers.add(line));
  const client = makeClient(async (op, args) => {
    child.stdin.write(`${JSON.stringify({ op, ...args })}\n`);
    return JSON.parse(await answers.next(undefined, `${name} to ${op}`));
  });
  client.stop = async () => { child.kill(); await ended; };
  return client;
}
