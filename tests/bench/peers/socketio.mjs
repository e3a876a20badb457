// The npm package socket.io, WebSocket transport. usage: node socketio.mjs PORT
import http from 'node:http';
import { Server } from 'socket.io';

const server = http.createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });

const roles = {
  sub: (socket) => socket.join('bench'),
  pub: (socket) => socket.on('m', (text) => io.to('bench').emit('m', text)),
  echo: (socket) => socket.on('m', (text) => socket.emit('m', text)),
};

io.on('connection', (socket) => roles[socket.handshake.query.role](socket));
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
