import test from 'ava';
import { formatTcp, parseAddress } from '../../src/net/address.js';

test('addresses as people write them', (t) => {
  t.deepEqual(parseAddress('127.0.0.1:7411'), { kind: 'tcp', host: '127.0.0.1', port: 7_411 });
  t.deepEqual(parseAddress('db-1.example:0'), { kind: 'tcp', host: 'db-1.example', port: 0 });
  t.deepEqual(parseAddress('[::1]:65535'), { kind: 'tcp', host: '::1', port: 65_535 });
  t.deepEqual(parseAddress('[fe80::1%eth0]:1'), { kind: 'tcp', host: 'fe80::1%eth0', port: 1 });
  t.deepEqual(parseAddress('unix:/run/partita/admin.sock'), { kind: 'unix', path: '/run/partita/admin.sock' });
});

for (const text of [
  '',
  'host',
  'host:',
  ':1',
  '::1:80',
  'host:65536',
  'host:1x',
  '[::1]',
  'unix:relative',
  `unix:/${'x'.repeat(107)}`,
]) {
  test(`refuses ${JSON.stringify(text)} with a reason`, (t) => {
    t.throws(() => parseAddress(text), {
      instanceOf: RangeError,
      message: /is not host:port|begins with \/|takes 107/,
    });
  });
}

test('what is formatted parses back', (t) => {
  t.deepEqual(parseAddress(formatTcp('::1', 5)), { kind: 'tcp', host: '::1', port: 5 });
  t.deepEqual(parseAddress(formatTcp('127.0.0.1', 5)), { kind: 'tcp', host: '127.0.0.1', port: 5 });
});
