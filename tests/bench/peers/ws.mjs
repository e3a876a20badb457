// The npm package ws, and node's own HTTP for streams and requests. usage: node ws.mjs PORT
import http from 'node:http';
import { WebSocketServer } from 'ws';

const sockets = new Set(), streams = new Set();

function publish(data) {
  const text = data.toString();
  for (const socket of sockets) socket.send(text);
  for (const stream of streams) stream.write(`data: ${text}\n\n`);
}

function subscribe(socket) {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
}

const roles = {
  '/ws/sub': subscribe,
  '/ws/compressed': subscribe,
  '/ws/pub': (socket) => socket.on('message', publish),
  '/ws/echo': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  '/ws/auth': (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
};

const server = http.createServer((request, response) => {
  if (request.url === '/sse/sub') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', Connection: 'close' });
    response.flushHeaders();
    streams.add(response);
    response.on('close', () => streams.delete(response));
  } else {
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('Content-Length', 13);
    response.end('Hello, world!');
  }
});

const plain = new WebSocketServer({ noServer: true });
const compressed = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { serverNoContextTakeover: true, threshold: 0 },
});
server.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/ws/auth' && url.searchParams.get('token') !== '0123456789abcdef') return socket.destroy();
  const gate = url.pathname === '/ws/compressed' ? compressed : plain;
  gate.handleUpgrade(request, socket, head, roles[url.pathname]);
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
