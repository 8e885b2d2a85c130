/* Runs with a low limit of descriptors: an echo, that tells afterwards whom it met. Started by listener.test. */
import { listen } from '../../src/net/listener.js';
import { Events, harness, say } from './pair.js';

let accepted = 0;
const made = harness((connection) => {
  accepted++;
  const events = new Events();
  events.onChunk = (chunk) => {
    say(connection, Buffer.from(chunk).toString());
  };
  return events;
});

listen(made.options, (error, listener) => {
  if (listener === undefined) throw error ?? new Error('neither');
  console.log(listener.address);
  let heard = '';
  process.stdin.on('data', (chunk) => {
    heard += chunk.toString();
  });
  process.stdin.on('end', () => {
    console.log(`accepted ${accepted}`);
    console.log(`answered ${heard}`);
    process.exit(0);
  });
});
