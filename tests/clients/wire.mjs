// A wire between a client and a server: a port that passes everything on to another, and breaks.
// It breaks at once (cut), after so many bytes of an answer (breakAt), or for as long as it is down.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

// The heads of the requests on one connection, as they pass by. Bodies are not expected.
function headReader(requests) {
  let text = '', isOver = false;
  return chunk => {
    if (isOver) return;
    text += chunk.toString('latin1');
    for (let end; !isOver && (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) {
      const [line, ...fields] = text.slice(0, end).split('\r\n');
      const [method, target] = line.split(' ');
      const headers = Object.fromEntries(fields.map(field => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
      }));
      requests.push({ method, target, headers });
      isOver = 'upgrade' in headers;  // what follows is no HTTP
    }
  };
}

function pass(from, to, chunk) {
  if (to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
}

// Passes the first `bytes` of the answer on and breaks there, with a reset or as if all were said.
function breakAfter({ bytes, reset }, near, far, broken) {
  const passed = [];
  let left = bytes;
  far.on('data', chunk => {
    if (left < 0) return;
    const part = chunk.subarray(0, left);
    passed.push(part);
    left -= part.length;
    if (left > 0) return void pass(far, near, part);
    left = -1;
    near.write(part, () => {
      broken.push(Buffer.concat(passed).toString('latin1'));
      if (reset) near.resetAndDestroy(); else near.destroy();
    });
  });
}

// wire.breakAt: called for each new connection -> { bytes, reset } of the answer it breaks after, or nothing.
// wire.broken: what had passed on each connection broken so. wire.requests: { method, target, headers } of all.
// wire.bytes: how many came up from clients and down from the server. wire.target: the port behind; may change.
// wire.isDown: new connections are closed unanswered.
export async function openWire(port) {
  const sockets = new Set();
  const wire = { target: port, isDown: false, breakAt: () => null, broken: [], requests: [], bytes: { up: 0, down: 0 } };
  const server = createServer(near => {
    if (wire.isDown) return void near.on('error', () => {}).destroy();
    const far = connect(wire.target, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}).on('close', () => { sockets.delete(socket); other.destroySoon(); });
    }
    const readHeads = headReader(wire.requests);
    near.on('data', chunk => { wire.bytes.up += chunk.length; readHeads(chunk); pass(near, far, chunk); });
    far.on('data', chunk => { wire.bytes.down += chunk.length; });
    const point = wire.breakAt();
    if (point) breakAfter(point, near, far, wire.broken);
    else far.on('data', chunk => pass(far, near, chunk));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  wire.port = server.address().port;
  wire.http = `http://127.0.0.1:${wire.port}`;
  wire.ws = `ws://127.0.0.1:${wire.port}`;
  wire.cut = () => { for (const socket of sockets) socket.destroy(); };
  wire.close = () => { wire.cut(); server.close(); };
  return wire;
}
