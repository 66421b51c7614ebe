// Reproduces the golden vectors with WebCrypto alone, as the guest page has to:
//   node verify.mjs [directory of the vectors]
import { readFile } from "node:fs/promises";
import { webcrypto as crypto } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const dir = process.argv[2] ?? dirname(fileURLToPath(import.meta.url));
const load = async (name) => JSON.parse(await readFile(join(dir, name), "utf8"));
const utf8 = new TextEncoder();
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

let checks = 0;
function same(what, got, want) {
  checks++;
  if (got !== want) throw new Error(`${what}: got ${got}, want ${want}`);
}

function parseCode(text) {
  const code = text
    .toLowerCase()
    .replace(/[\s\u2010-\u2015-]/g, "")
    .replace(/o/g, "0")
    .replace(/[il]/g, "1");
  return /^[0-9a-hjkmnp-tv-z]{12}$/.test(code) ? code : null;
}

async function derive(code) {
  const password = await crypto.subtle.importKey("raw", utf8.encode(code), "PBKDF2", false, ["deriveBits"]);
  const master = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt: utf8.encode("parley meeting v1"), iterations: 600_000 }, password, 256);
  const key = await crypto.subtle.importKey("raw", master, "HKDF", false, ["deriveBits"]);
  const expand = (info, bits) =>
    crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8.encode(info) }, key, bits);
  return { room: base64url(await expand("room", 128)), seal: await expand("seal", 256) };
}

// The link as it is written, and what is made of it. The app finds links in any text; here they are as they are written.
function parseLink(text) {
  const [, scheme, host, prefix, code, parameters] = /^(https?):\/\/([^/]+)((?:\/[^/#]+)*)\/#([^&]*)(.*)$/.exec(text);
  const hosts = [host, ...parameters.split("&").filter((p) => p.startsWith("at=")).map((p) => p.slice(3))];
  return {
    code: parseCode(code),
    deep: `parley://${host}${prefix}/#${code}${parameters}`,
    socket: hosts.map((h) => `${scheme === "https" ? "wss" : "ws"}://${h}${prefix}/ws`).join(" "),
  };
}

function associated(room, from, to, seq) {
  const parts = [utf8.encode("parley seal v1\0")];
  for (const text of [room, from, to]) {
    const bytes = utf8.encode(text);
    parts.push([bytes.length], bytes);
  }
  const number = new DataView(new ArrayBuffer(8));
  number.setBigUint64(0, BigInt(seq));
  parts.push(new Uint8Array(number.buffer));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

async function seal(key, nonce, room, from, to, seq, plaintext) {
  const padded = new Uint8Array(Math.floor(plaintext.length / 64) * 64 + 64);
  padded.set(plaintext);
  padded[plaintext.length] = 0x80;
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: associated(room, from, to, seq), tagLength: 128 }, key, padded);
  return hex(nonce) + hex(new Uint8Array(sealed));
}

for (const c of (await load("codes.json")).codes) same(`code ${JSON.stringify(c.typed)}`, parseCode(c.typed), c.code || null);
for (const c of (await load("links.json")).links.filter((c) => c.link)) {
  const link = parseLink(c.link);
  same("code of a link", link.code, "7k3mq9xt2w8p");
  same("deep link", link.deep, c.deep);
  same("sockets", link.socket, c.socket);
}
for (const c of (await load("keys.json")).keys) {
  const keys = await derive(c.code);
  same("room", keys.room, c.room);
  same("seal", hex(new Uint8Array(keys.seal)), c.seal);
}
for (const c of (await load("sealed.json")).sealed) {
  const key = await crypto.subtle.importKey("raw", unhex(c.key), "AES-GCM", false, ["encrypt"]);
  same(c.name, await seal(key, unhex(c.nonce), c.room, c.from, c.to, c.seq, unhex(c.plaintext)), c.body);
}
for (const c of await load("turn.json")) {
  const member = await crypto.subtle.digest("SHA-256", utf8.encode(`parley turn v1\0${c.room}\0${c.id}`));
  const username = `${c.expires}:${base64url(member.slice(0, 12))}`;
  same("user name", username, c.username);
  const key = await crypto.subtle.importKey("raw", utf8.encode(c.secret), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  same("credential", Buffer.from(await crypto.subtle.sign("HMAC", key, utf8.encode(username))).toString("base64"), c.credential);
}
console.log(`${checks} checks passed`);
