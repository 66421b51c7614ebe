// The page at a meeting's link. The code is in the address behind the #, which browsers keep to themselves.
import { qrcode } from "./qrcode.js";

const $ = (id) => document.getElementById(id);

/**
 * parseCode reads a code the way people type it, as signal.ParseCode does.
 * @param {string} text
 * @returns {string} the code in its canonical form, 24 or 12 characters; empty if it is none
 */
export function parseCode(text) {
  const code = text.toLowerCase().replace(/[\s\u00a0\-\u2010-\u2015]/g, "").replace(/o/g, "0").replace(/[il]/g, "1");
  return /^[0-9a-hjkmnp-tv-z]{12}([0-9a-hjkmnp-tv-z]{12})?$/.test(code) ? code : "";
}

/** groups is a code as people read it: 7k3m-q9xt-2w8p. @param {string} code */
const groups = (code) => code.match(/.{4}/g).join("-");

/**
 * parseHash takes apart what follows the # of a link.
 * @param {string} hash
 * @returns {{code: string, rest: string}} rest names further addresses and the owner, and is kept as it is
 */
function parseHash(hash) {
  let text = hash.replace(/^#/, "");
  try {
    text = decodeURIComponent(text);
  } catch {
    // a % that escapes nothing: no code has one
  }
  const [first, ...more] = text.split("&");
  const at = more.filter((p) => /^(at=[\w.:[\]-]+|owner=[\w-]{16})$/.test(p)).map((p) => "&" + p);
  return { code: parseCode(first), rest: at.join("") };
}

/** appLink is the link that opens the app. @param {string} code @param {string} rest */
const appLink = (code, rest) => `parley://${location.host}${location.pathname.replace(/[^/]*$/, "")}#${groups(code)}${rest}`;

/** drawQR draws text into the svg, with the four light modules around it that readers need (ISO/IEC 18004). @param {string} text */
function drawQR(text) {
  const qr = qrcode(0, "M");
  qr.addData(text);
  qr.make();
  const n = qr.getModuleCount();
  let path = "";
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      if (qr.isDark(y, x)) path += `M${x + 4} ${y + 4}h1v1h-1z`;
    }
  }
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawn.setAttribute("d", path);
  $("qr").setAttribute("viewBox", `0 0 ${n + 8} ${n + 8}`);
  $("qr").setAttribute("shape-rendering", "crispEdges");
  $("qr").replaceChildren(drawn);
}

/** show brings the page into the state that the address asks for. */
function show() {
  const { code, rest } = parseHash(location.hash);
  const damaged = code === "" && location.hash.length > 1;
  $("invited").hidden = $("meeting").hidden = code === "";
  $("enter").hidden = code !== "";
  $("fault").textContent = damaged ? "The link has no meeting code. A part may be missing: ask for it again, or type the code." : "";
  if (code === "") {
    $("title").textContent = damaged ? "This link is damaged." : "Meet. Nobody in between.";
    return;
  }
  const link = location.href.replace(/#.*$/, "") + "#" + groups(code) + rest;
  $("title").textContent = "You are invited to a meeting.";
  $("about").textContent = "It opens in the Parley app. Calls go straight from you to the others, encrypted end to end.";
  $("code").textContent = groups(code);
  $("use").textContent = code.length > 12 ? "Code" : "Code to dictate";
  $("open").setAttribute("href", appLink(code, rest));
  $("copy").hidden = !navigator.clipboard; // only secure pages have one
  $("copy").textContent = "Copy link";
  $("copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText(link);
      $("copy").textContent = "Copied";
    } catch {
      $("copy").textContent = "Copy it from the address bar";
    }
  };
  drawQR(link);
}

/** watchOpening says what to do when the app does not come up: a page is not told. */
function watchOpening() {
  $("open").addEventListener("click", () => {
    $("hint").textContent = "Opening Parley…";
    setTimeout(() => {
      if (document.hasFocus()) {
        $("hint").textContent = "Nothing happened? Get Parley for this computer below, then click again. Or start the app and type the code.";
      } else {
        $("hint").textContent = "The meeting is in the Parley window. You can close this page.";
      }
    }, 2000);
  });
}

/** readForm goes to the meeting of a code or link that somebody types. */
function readForm() {
  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    const { code, rest } = parseHash(text.includes("#") ? text.slice(text.indexOf("#")) : text);
    if (code === "") {
      $("fault").textContent = "That is not a meeting code. It has 24 or 12 letters and digits, like 7k3m-q9xt-2w8p.";
      return;
    }
    location.hash = groups(code) + rest;
  });
}

/** offer lists what this server has to install. */
async function offer() {
  const agent = navigator.userAgent;
  const linux = /Linux/.test(agent) && !/Android/.test(agent);
  const machine = /Android|iPhone|iPad/.test(agent) ? "phone" : "computer";
  let files = [];
  try {
    const response = await fetch("download/");
    if (response.ok) files = (await response.json()).filter((file) => !file.name.startsWith("parley-rendezvous"));
  } catch {
    // offline: the text below says what to do
  }
  if (!linux) {
    $("system").textContent = `Parley runs on Linux today, not yet on this ${machine}. Open the link on a computer with Linux.`;
  } else if (files.length > 0) {
    $("system").textContent = "For this computer:";
  } else {
    $("system").textContent = "Ask whoever invited you, or whoever runs this server, for the package.";
  }
  $("files").replaceChildren(...files.map((file) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = "download/" + encodeURIComponent(file.name);
    link.textContent = file.name;
    const size = document.createElement("span");
    size.className = "soft";
    size.textContent = `${Math.ceil(file.size / 1e6)} MB`;
    item.append(link, size);
    return item;
  }));
  const deb = files.find((file) => /^parley_[\w.+~-]+\.deb$/.test(file.name)); // nothing that a shell reads otherwise
  $("install").hidden = !(linux && deb);
  if (deb) $("command").textContent = `sudo apt install ./${deb.name}`;
}

window.addEventListener("hashchange", show);
watchOpening();
readForm();
show();
offer();
