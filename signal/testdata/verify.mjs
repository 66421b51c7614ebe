// Reproduces the golden vectors with WebCrypto alone, as the guest page has to:
//   node verify.mjs [directory of the vectors]
// In a browser it is a page's module, and writes the last line into the page, or what is wrong.
const node = globalThis.process?.versions?.node !== undefined;
const load = node
  ? async (name) => {
      const { readFile } = await import("node:fs/promises");
      return JSON.parse(await readFile(new URL(name, process.argv[2] ? `file://${process.argv[2]}/` : import.meta.url), "utf8"));
    }
  : async (name) => (await fetch(name)).json();
const subtle = globalThis.crypto.subtle;
const show = (text) => (document.body.innerHTML = `<p id="result">${text}</p>`);
if (!node) addEventListener("error", (event) => show(event.message)); // what a module throws
const utf8 = new TextEncoder();
const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const base64url = (bytes) => base64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const unbase64url = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

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
  return /^[0-9a-hjkmnp-tv-z]{12}([0-9a-hjkmnp-tv-z]{12})?$/.test(code) ? code : null;
}

async function masterOf(code) {
  const salt = utf8.encode("parley meeting v2");
  if (code.length === 24) return hkdf(utf8.encode(code), utf8.encode("master"), salt);
  const password = await subtle.importKey("raw", utf8.encode(code), "PBKDF2", false, ["deriveBits"]);
  return subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: 600_000 }, password, 256);
}

async function derive(code) {
  const master = await masterOf(code);
  const admit = await keyPair("Ed25519", await hkdf(master, utf8.encode("admit")), ["sign"]);
  const room = base64url((await subtle.digest("SHA-256", admit.public)).slice(0, 16));
  return { admit, room, seal: await hkdf(master, utf8.encode("seal")) };
}

// keyPair is a private key of Ed25519 or X25519 from its 32 bytes (RFC 8410 wraps them), with its public half.
async function keyPair(name, secret, uses) {
  const wrapped = join(unhex(`302e020100300506032b65${name === "Ed25519" ? "70" : "6e"}04220420`), secret);
  const key = await subtle.importKey("pkcs8", wrapped, name, true, uses);
  return { key, public: unbase64url((await subtle.exportKey("jwk", key)).x) };
}

async function verifyJoin(c) {
  const { admit, room } = await derive(c.code);
  const me = await identity(c);
  same("room of a join", room, c.join.room);
  same("ID", me.id, c.join.id);
  same("admit key", base64(admit.public), c.join.admit);
  same("signing key", base64(me.keys.slice(0, 32)), c.join.sign);
  same("agreement key", base64(me.keys.slice(32)), c.join.dh);
  const message = join(
    utf8.encode("parley join v2\0"), [32], unhex(c.nonce), texts(room, me.id, c.join.session ?? ""),
    [8], big(8, c.join.n), [8], big(8, c.join.last ?? 0));
  same("message of a join", hex(message), c.message);
  same("proof of the code", base64(await subtle.sign("Ed25519", admit.key, message)), c.join.knows);
  same("proof of the ID", base64(await sign(me, message)), c.join.owns);
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

// big is a number in n bytes, big-endian.
function big(n, number) {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, BigInt(number));
  return new Uint8Array(bytes.buffer).slice(8 - n);
}

// Each text is preceded by its length in one byte.
const texts = (...list) => join(...list.flatMap((text) => [[utf8.encode(text).length], utf8.encode(text)]));

async function hkdf(secret, info, salt = new Uint8Array(0)) {
  const key = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 256));
}

// identity makes a member's keys of an Ed25519 seed and an X25519 scalar.
async function identity({ seed, scalar }) {
  const sign = await keyPair("Ed25519", unhex(seed), ["sign"]);
  const dh = await keyPair("X25519", unhex(scalar), ["deriveBits"]);
  const keys = join(sign.public, dh.public);
  const id = base64url((await subtle.digest("SHA-256", keys)).slice(0, 12));
  return { sign: sign.key, dh: dh.key, keys, id };
}

const sign = async (me, ...parts) => new Uint8Array(await subtle.sign("Ed25519", me.sign, join(...parts)));

async function verifies(keys, signature, ...parts) {
  const key = await subtle.importKey("raw", keys.slice(0, 32), "Ed25519", false, ["verify"]);
  return subtle.verify("Ed25519", key, signature, join(...parts));
}

// pairKey seals what from says to to; both can derive it.
async function pairKey(room, mine, theirs, from, to) {
  const other = await subtle.importKey("raw", theirs.keys.slice(32), "X25519", false, []);
  const secret = await subtle.deriveBits({ name: "X25519", public: other }, mine.dh, 256);
  return hkdf(secret, join(utf8.encode("parley pair v2\0"), texts(room, from.id, to.id)));
}

async function ratchet(secret, steps) {
  for (; steps > 0; steps--) secret = await hkdf(secret, utf8.encode("parley step v2\0"));
  return secret;
}

const senderKey = (secret, room, id) => hkdf(secret, join(utf8.encode("parley sender v2\0"), texts(room, id)));

async function seal(v, room, code, from, to) {
  const [hello, one, all] = [1, 2, 3];
  const version = v.kind === all ? join(big(4, v.gen), [v.step ?? 0]) : [];
  const data = join(
    utf8.encode("parley seal v2\0"), [v.kind], texts(room, from.id, v.kind === all ? "" : to.id), big(8, v.seq), version);
  let raw = await pairKey(room, from, to, from, to);
  same("the pair's key", hex(raw), hex(await pairKey(room, to, from, from, to)));
  if (v.kind === hello) raw = code;
  if (v.kind === all) raw = await senderKey(unhex(v.key), room, from.id);
  const key = await subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
  const text = unhex(v.text);
  const signature = await sign(from, data, text);
  same("signature", await verifies(from.keys, signature, data, text), true);
  const plain = join(v.kind === hello ? from.keys : [], signature, text, [0x80]);
  const padded = join(plain, new Uint8Array((64 - (plain.length % 64)) % 64));
  const nonce = unhex(v.nonce);
  const sealed = await subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: data, tagLength: 128 }, key, padded);
  return hex(join([v.kind], version, nonce, new Uint8Array(sealed)));
}

async function signChat(c, room, author) {
  const long = (text) => join(big(4, utf8.encode(text).length), utf8.encode(text));
  return hex(await sign(author, utf8.encode("parley chat v2\0"), texts(room, author.id),
    big(8, c.at), big(8, c.n), long(c.id), long(c.name), long(c.text)));
}

for (const c of (await load("codes.json")).codes) same(`code ${JSON.stringify(c.typed)}`, parseCode(c.typed), c.code || null);
for (const c of (await load("links.json")).links.filter((c) => c.link)) {
  const link = parseLink(c.link);
  same("code of a link", link.code, c.code);
  same("deep link", link.deep, c.deep);
  same("sockets", link.socket, c.socket);
}
for (const c of (await load("keys.json")).keys) {
  const keys = await derive(c.code);
  same("admit", hex(keys.admit.public), c.admit);
  same("room", keys.room, c.room);
  same("seal", hex(new Uint8Array(keys.seal)), c.seal);
}
for (const c of (await load("joins.json")).joins) await verifyJoin(c);
const v = await load("seal.json");
const [ada, ben] = [await identity(v.ada), await identity(v.ben)];
same("Ada's ID", ada.id, v.ada.id);
same("Ben's ID", ben.id, v.ben.id);
for (const c of v.sealed) same(c.name, await seal(c, v.room, unhex(v.code), ada, ben), c.body);
for (const c of v.ratchet) {
  const then = await ratchet(unhex(c.secret), c.step);
  same("ratchet", hex(then), c.then);
  same("sender's key", hex(await senderKey(then, v.room, ada.id)), c.key);
}
for (const c of v.chats) same(`chat ${c.id}`, await signChat(c, v.room, ada), c.sig);
for (const c of (await load("device.json")).devices) {
  const [device, { keys }] = [await identity({ seed: c.seed, scalar: v.ada.scalar }), c.of === "ada" ? ada : ben];
  const signature = await sign(device, utf8.encode("parley device v2\0"), texts(c.room), keys);
  same("voucher", base64url(join(device.keys.slice(0, 32), signature)), c.voucher);
}
for (const c of await load("turn.json")) {
  const member = await subtle.digest("SHA-256", utf8.encode(`parley turn v1\0${c.room}\0${c.id}`));
  const username = `${c.expires}:${base64url(member.slice(0, 12))}`;
  same("user name", username, c.username);
  const key = await subtle.importKey("raw", utf8.encode(c.secret), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  same("credential", base64(await subtle.sign("HMAC", key, utf8.encode(username))), c.credential);
}
// Rosters: encoded from their fields, and signed with the seeds of those who signed them.
const number = (n) => [...big(8, n)];
const text = (s) => [...utf8.encode(s)];
const sha256 = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", Uint8Array.from(bytes)));
const id = (s) => [...unbase64url(s)];
const ids = (list) => [list?.length ?? 0, ...(list ?? []).flatMap(id)];
const purpose = (name, room) => [...text(`parley ${name} v1\0`), room.length, ...text(room)];
async function signAs(seed, bytes) {
  const der = Uint8Array.from([...unhex("302e020100300506032b657004220420"), ...unhex(seed)]); // PKCS #8, RFC 8410
  const key = await subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
  const pub = unbase64url((await subtle.exportKey("jwk", key)).x);
  return { pub: hex(pub), sig: hex(await subtle.sign("Ed25519", key, Uint8Array.from(bytes))) };
}
for (const r of (await load("roster.json")).rosters) {
  const handovers = r.handovers ?? [];
  const keys = [r.root, ...handovers.map((h) => h.to)];
  same("fingerprint", base64url((await sha256(unhex(r.root))).slice(0, 12)), r.fingerprint);
  for (const [i, h] of [...handovers, ...(r.offer ? [r.offer] : [])].entries()) {
    const { pub, sig } = await signAs(r.ownerSeeds[i], [...purpose("handover", r.room), i, ...unhex(keys[i]), ...unhex(h.to)]);
    same("key before", pub, keys[i]);
    same("hand-over", sig, h.sig);
  }
  const link = (h) => [...unhex(h.to), ...unhex(h.sig)];
  const term = [...unhex(r.root), handovers.length, ...handovers.flatMap(link), ...number(r.n), ...id(r.owner), ...ids(r.coHosts),
    ...(r.offer ? [1, ...link(r.offer)] : [0])];
  same("term", (await signAs(r.ownerSeeds[handovers.length], [...purpose("term", r.room), ...term])).sig, r.termSig);
  const flags = [r.policy.Waiting, r.policy.Locked, r.policy.Present, r.policy.Chat, r.policy.Unmute, r.ended]
    .reduce((sum, on, bit) => sum | on << bit, 0);
  const by = r.bySign ? [1, ...unhex(r.bySign), ...unhex(r.byDH)] : [2];
  const body = [1, ...term, ...unhex(r.termSig), ...number(r.epoch), flags, ...r.seen.flatMap(number), ...ids(r.admitted), ...ids(r.removed), ...by];
  const { pub, sig } = await signAs(r.signerSeed, [...purpose("roster", r.room), ...body]);
  same("signer's key", pub, r.bySign || keys.at(-1));
  if (r.bySign) same("signer", base64url((await sha256(by.slice(1))).slice(0, 12)), r.signer);
  same(`roster ${r.name}`, sig, r.sig);
  same("encoded", hex(Uint8Array.from([...body, ...unhex(sig)])), r.encoded);
}
for (const p of (await load("phrase.json")).phrases) {
  const round = [...unhex(p.round)];
  const named = (...list) => list.flatMap((bytes) => [bytes.length, ...bytes]);
  for (const m of p.members) {
    const me = await identity(m);
    m.keys = me.keys;
    same("ID in a round", me.id, m.id);
    const of = [...text("parley phrase commit v2\0"), ...named(text(p.room), round, text(m.id)), ...unhex(m.secret)];
    same("commitment", hex(await sha256(of)), m.commitment);
  }
  const members = p.members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const all = members.flatMap((m) => [...m.keys, ...unhex(m.secret)]);
  same("phrase", hex(await sha256([...text("parley phrase v2\0"), ...named(text(p.room)), ...unhex(p.roster), ...all])), p.digest);
}
const result = `${checks} checks passed`;
if (node) console.log(result);
else show(result);
