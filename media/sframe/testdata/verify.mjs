// Encrypts and decrypts the golden vectors with WebCrypto alone, as a page does in an RTCRtpScriptTransform.
//
//   node verify.mjs

import { readFileSync } from 'node:fs';

const suite = 5; // AES_256_GCM_SHA512_128
const hex = (b) => Array.from(b, (v) => v.toString(16).padStart(2, '0')).join('');
const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (v) => parseInt(v, 16));
const join = (...parts) => Uint8Array.from(parts.flatMap((p) => [...p]));

// number is n in as few bytes as it takes, or in exactly size.
const number = (n, size = 0) => bytes(n.toString(16).padStart(2 * size || n.toString(16).length + (n.toString(16).length % 2), '0'));

function header(kid, counter) {
  const config = (n) => (n < 8n ? Number(n) : 8 | (number(n).length - 1));
  const written = (n) => (n < 8n ? [] : number(n));
  return join([(config(kid) << 4) | config(counter)], written(kid), written(counter));
}

async function derive(base, kid) {
  const secret = await crypto.subtle.importKey('raw', base, 'HKDF', false, ['deriveBits']);
  const expand = async (purpose, n) => new Uint8Array(await crypto.subtle.deriveBits({
    name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(),
    info: join(new TextEncoder().encode(`SFrame 1.0 Secret ${purpose} `), number(kid, 8), number(suite, 2)),
  }, secret, 8 * n));
  const key = await crypto.subtle.importKey('raw', await expand('key', 32), 'AES-GCM', false, ['encrypt', 'decrypt']);
  return { key, salt: await expand('salt', 12) };
}

let failed = 0;
for (const v of JSON.parse(readFileSync(new URL('vectors.json', import.meta.url)))) {
  const kid = BigInt(v.kid), counter = BigInt(v.counter), frame = bytes(v.frame);
  const { key, salt } = await derive(bytes(v.base_key), kid);
  const iv = salt.map((b, i) => b ^ number(counter, 12)[i]);
  const clear = frame.slice(0, v.clear), head = header(kid, counter);
  const gcm = { name: 'AES-GCM', iv, additionalData: join(head, clear) };
  const got = join(clear, head, new Uint8Array(await crypto.subtle.encrypt(gcm, key, frame.slice(v.clear))));
  const back = join(clear, new Uint8Array(await crypto.subtle.decrypt(gcm, key, bytes(v.encrypted).slice(v.clear + head.length))));
  if (hex(got) !== v.encrypted || hex(back) !== v.frame) {
    console.error(`${v.source}: ${hex(got)}, want ${v.encrypted}`);
    failed++;
  }
}
process.exit(failed ? 1 : 0);
