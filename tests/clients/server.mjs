// Starts the program on a free port with a copy of scripts/, and stops it again.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');
const BINARY = resolve(ROOT, process.env.TIDEGATE_BIN ?? 'build/release/tidegate');
const STOP_MS = 15_000;
export const WAIT_MS = 60_000;  // far more than a busy machine needs
export const LIMIT = { timeout: 2 * WAIT_MS };  // of tests that wait for what has no limit of its own

// Resolves with what check() gives once that is truthy; checks again whenever asked by `tick`.
export async function waitFor(what, check, timeout = WAIT_MS) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise(resume => setTimeout(resume, 15));
  }
}

// scripts: more script directories to lay over the copy. env: more environment variables.
export async function startServer({ scripts = [], env = {} } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-test-'));
  await cp(join(ROOT, 'scripts'), dir, { recursive: true });
  for (const more of scripts) await cp(resolve(HERE, more), dir, { recursive: true });
  const child = spawn(BINARY, ['--listen', '127.0.0.1:0', '--workers', '2', dir], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env },
  });
  const server = { dir, log: '', child };
  child.stderr.setEncoding('utf8').on('data', text => { server.log += text; });
  const exited = once(child, 'exit').catch(error => { server.log += error; return [-1]; });
  exited.then(([code, signal]) => { server.exit = signal ?? code; });

  const end = async signal => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
    await rm(dir, { recursive: true, force: true });
  };
  server.kill = () => end('SIGKILL');  // as a crash does
  server.stop = async () => {
    await end('SIGTERM');
    if (server.exit !== 0) throw new Error(`the server ended with ${server.exit}:\n${server.log}`);
  };

  const address = await waitFor('the server to listen', () => {
    if ('exit' in server) throw new Error(`the server ended with ${server.exit}:\n${server.log}`);
    return server.log.match(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
  });
  server.port = Number(address[1]);
  server.http = `http://127.0.0.1:${server.port}`;
  server.ws = `ws://127.0.0.1:${server.port}`;
  return server;
}
