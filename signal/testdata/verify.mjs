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

// Rosters: encoded from their fields, and signed with the seeds of those who signed them.
const number = (n) => { const b = new DataView(new ArrayBuffer(8)); b.setBigUint64(0, BigInt(n)); return [...new Uint8Array(b.buffer)]; };
const text = (s) => [...utf8.encode(s)];
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
const id = (s) => [...Buffer.from(s, "base64url")];
const ids = (list) => [list?.length ?? 0, ...(list ?? []).flatMap(id)];
const purpose = (name, room) => [...text(`parley ${name} v1\0`), room.length, ...text(room)];
async function sign(seed, bytes) {
  const der = Uint8Array.from([...unhex("302e020100300506032b657004220420"), ...unhex(seed)]); // PKCS #8, RFC 8410
  const key = await crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
  const pub = Buffer.from((await crypto.subtle.exportKey("jwk", key)).x, "base64url");
  return { pub: hex(pub), sig: hex(await crypto.subtle.sign("Ed25519", key, Uint8Array.from(bytes))) };
}
for (const r of (await load("roster.json")).rosters) {
  const handovers = r.handovers ?? [];
  const keys = [r.root, ...handovers.map((h) => h.to)];
  same("fingerprint", base64url((await sha256(unhex(r.root))).slice(0, 12)), r.fingerprint);
  for (const [i, h] of [...handovers, ...(r.offer ? [r.offer] : [])].entries()) {
    const { pub, sig } = await sign(r.ownerSeeds[i], [...purpose("handover", r.room), i, ...unhex(keys[i]), ...unhex(h.to)]);
    same("key before", pub, keys[i]);
    same("hand-over", sig, h.sig);
  }
  const link = (h) => [...unhex(h.to), ...unhex(h.sig)];
  const term = [...unhex(r.root), handovers.length, ...handovers.flatMap(link), ...number(r.n), ...id(r.owner), ...ids(r.coHosts),
    ...(r.offer ? [1, ...link(r.offer)] : [0])];
  same("term", (await sign(r.ownerSeeds[handovers.length], [...purpose("term", r.room), ...term])).sig, r.termSig);
  const flags = [r.policy.Waiting, r.policy.Locked, r.policy.Present, r.policy.Chat, r.policy.Unmute, r.ended]
    .reduce((sum, on, bit) => sum | on << bit, 0);
  const by = r.bySign ? [1, ...unhex(r.bySign), ...unhex(r.byDH)] : [2];
  const body = [1, ...term, ...unhex(r.termSig), ...number(r.epoch), flags, ...r.seen.flatMap(number), ...ids(r.admitted), ...ids(r.removed), ...by];
  const { pub, sig } = await sign(r.signerSeed, [...purpose("roster", r.room), ...body]);
  same("signer's key", pub, r.bySign || keys.at(-1));
  if (r.bySign) same("signer", base64url((await sha256(by.slice(1))).slice(0, 12)), r.signer);
  same(`roster ${r.name}`, sig, r.sig);
  same("encoded", hex(Uint8Array.from([...body, ...unhex(sig)])), r.encoded);
}
console.log(`${checks} checks passed`);
