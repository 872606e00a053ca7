// WebSocket: clients hold a connection each and send a message at a time; every message must come back, unchanged
// and in order, and no connection may end before its client ends it.
import { WebSocket } from 'k6/websockets';
import { Counter, Rate, Trend } from 'k6/metrics';
import { duration, number, seconds, url } from './settings.js';

const clients = number('CLIENTS', 50);
const life = seconds(duration('10s')) * 1000;
const pause = number('PAUSE_MS', 20);

const returned = new Counter('messages_returned');
const wrong = new Counter('messages_wrong');
const whole = new Rate('connections_whole');
const roundTrip = new Trend('message_round_trip', true);

export const options = {
  scenarios: {
    websocket: { executor: 'per-vu-iterations', vus: clients, iterations: 1, maxDuration: `${Math.ceil(life) + 30000}ms` },
  },
  thresholds: {
    connections_whole: ['rate==1'],
    messages_returned: [`count>${clients}`],
    messages_wrong: ['count==0'],
    message_round_trip: ['p(95)<100'],
  },
};

export default function () {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/websocket`);
  let number = 0;
  let sentAt = 0;
  let isOver = false;
  let isBroken = false;

  const send = () => {
    number++;
    sentAt = Date.now();
    socket.send(`${__VU}:${number}`);
  };
  socket.onopen = () => {
    setTimeout(() => {
      isOver = true;
    }, life);
    send();
  };
  socket.onmessage = (event) => {
    roundTrip.add(Date.now() - sentAt);
    returned.add(1);
    wrong.add(event.data === `${__VU}:${number}` ? 0 : 1);
    if (isOver) {
      socket.close();
      return;
    }
    setTimeout(send, pause);
  };
  socket.onerror = () => {
    isBroken = true;
  };
  socket.onclose = () => whole.add(isOver && !isBroken);
}
