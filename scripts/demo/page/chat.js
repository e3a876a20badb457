// The chat's WebSocket: connects, comes back after a loss, and asks then for what it missed.
// Whatever arrives has the form { event, data }, and an id where the page can come back to it.

const WAIT_FIRST = 500, WAIT_MOST = 8000;  // milliseconds

export class Chat {
  // visitor: who this is, through all connections.
  // on: { state(name), welcome(data), message(data), people(members), presence(diff), you(data), note(text) }
  constructor(visitor, on) {
    this.visitor = visitor;
    this.on = on;
    this.wait = WAIT_FIRST;
  }

  join(room, name) {
    this.leave();
    this.room = room;
    this.name = name;
    this.last = null;  // the newest id that has come, with all before it
    this.connect();
  }

  leave() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  connect() {
    this.on.state('wait');
    const query = new URLSearchParams({ name: this.name, visitor: this.visitor });
    if (this.last) query.set('since', this.last);
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/demo/chat/${this.room}?${query}`);
    this.socket = socket;
    socket.onmessage = event => this.receive(JSON.parse(event.data));
    socket.onclose = () => { if (this.socket === socket) this.lost(); };
  }

  lost() {
    this.socket = null;
    this.on.state('lost');
    this.timer = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, WAIT_MOST);
  }

  send(value) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(value));
    return true;
  }

  say(text) { return this.send({ type: 'say', text }); }
  who() { return this.send({ type: 'who' }); }
  rename(name) {
    this.name = name;
    return this.send({ type: 'name', name });
  }

  receive({ event, data, id }) {
    if (id) this.last = id;
    this.receivers[event]?.call(this, data);
  }

  receivers = {
    welcome(data) {
      this.wait = WAIT_FIRST;
      this.on.state('open');
      this.on.welcome(data);
      if (data.missed) this.on.note('Some messages came while you were away and are no longer kept.');
    },
    chat(data) { this.on.message(data); },
    people(data) { this.on.people(data); },
    presence(data) { this.on.presence(data); },
    you(data) { this.on.you(data); },
    gap(data) { this.on.note(`${data.missed} messages were missed.`); },
    error(data) { this.on.note(data.text); },
  };
}
