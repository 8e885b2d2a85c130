import test from 'ava';
import { PrometheusMeter } from '../../src/metrics/prometheus.js';

test('what was counted is in the text', async (t) => {
  const meter = new PrometheusMeter();
  const gets = meter.counter('partita_requests_total', 'Requests', { op: 'get' });
  meter.counter('partita_requests_total', 'Requests', { op: 'put' }).add(2);
  gets.add(1);
  gets.add(4);
  meter.gauge('partita_buffer_bytes', 'Bytes').set(77);
  meter.histogram('partita_sync_seconds', 'Syncs', [0.001, 0.01]).observe(0.005);
  const text = await meter.text();
  t.regex(text, /partita_requests_total\{op="get"\} 5/);
  t.regex(text, /partita_requests_total\{op="put"\} 2/);
  t.regex(text, /partita_buffer_bytes 77/);
  t.regex(text, /partita_sync_seconds_bucket\{le="0.001"\} 0/);
  t.regex(text, /partita_sync_seconds_bucket\{le="0.01"\} 1/);
});

test('asking twice gives one series', async (t) => {
  const meter = new PrometheusMeter();
  meter.counter('partita_a_total', 'A').add(1);
  meter.counter('partita_a_total', 'A').add(1);
  t.regex(await meter.text(), /^partita_a_total 2$/m);
});

test('a name of another house, other labels, or another kind is our own mistake', (t) => {
  const meter = new PrometheusMeter();
  meter.counter('partita_a_total', 'A', { op: 'get' });
  t.throws(() => meter.counter('a_total', 'A'), { message: /starts with partita_/ });
  t.throws(() => meter.counter('partita_a_total', 'A', { peer: 'x' }), { message: /labels/ });
  t.throws(() => meter.gauge('partita_a_total', 'A', { op: 'get' }), { message: /one kind/ });
});

test("Node's own metrics come when asked for", async (t) => {
  t.regex(await new PrometheusMeter({ nodeMetrics: true }).text(), /partita_nodejs_eventloop_lag_seconds/);
  t.notRegex(await new PrometheusMeter().text(), /nodejs/);
});
