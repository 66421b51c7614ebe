// The other side of make bench: a call as a page for meetings makes it, with what a browser
// does by itself: one RTCPeerConnection for each other member, VP8 first, no simulcast.
// The benchmark drives it over the DevTools protocol and carries the descriptions.
'use strict'

const peers = new Map() // of the other members, by name
let local = new MediaStream()
let shown = false // remote pictures are on the page
let columns = 1

let speaker = '' // the id of the speaker that plays the others; '' for the default

// camera opens what this member gives: {video: {width, height, frameRate} or null, audio: true},
// and uses the microphone and speaker of which the names begin so: {mic, speaker}.
async function camera(want) {
  if (want.mic || want.speaker) {
    const first = await navigator.mediaDevices.getUserMedia({ audio: true }) // or there are no names
    const devices = await navigator.mediaDevices.enumerateDevices()
    const id = (kind, name) => {
      const found = devices.find((d) => d.kind === kind && d.label.startsWith(name))
      if (!found) throw new Error(`no ${kind} ${name} among ${devices.map((d) => `${d.kind} ${d.label}`)}`)
      return found.deviceId
    }
    speaker = id('audiooutput', want.speaker)
    want.audio = { deviceId: { exact: id('audioinput', want.mic) } }
    for (const t of first.getTracks()) t.stop()
  }
  const video = want.video && {
    width: { exact: want.video.width },
    height: { exact: want.video.height },
    frameRate: { ideal: want.video.frameRate },
  }
  local = await navigator.mediaDevices.getUserMedia({ video: video || false, audio: want.audio })
  return local.getTracks().map((t) => t.getSettings())
}

// Stamps: the time of capture as 32 black and white cells at the picture's top, 24 bits of
// milliseconds and their CRC-8, as media/stamp.go draws and reads them.
const stampCells = 32
const stampRows = 18
const stampWrap = 1 << 24

function crc8(v) {
  let c = 0
  for (let shift = 16; shift >= 0; shift -= 8) {
    c ^= (v >> shift) & 0xff
    for (let i = 0; i < 8; i++) c = c & 0x80 ? ((c << 1) ^ 0x07) & 0xff : c << 1
  }
  return ~c & 0xff
}

function drawStamp(canvas, g, ms) {
  const bits = [ms, crc8(ms)]
  const cell = Math.floor(canvas.width / stampCells)
  for (let i = 0; i < stampCells; i++) {
    const one = i < 24 ? (bits[0] >> (23 - i)) & 1 : (bits[1] >> (31 - i)) & 1
    g.fillStyle = one ? '#fff' : '#000'
    g.fillRect(i * cell, 0, cell, Math.floor(canvas.height / stampRows))
  }
}

let stampReader

// readStamp is the stamp in the picture that a video shows, null when there is none.
function readStamp(video) {
  const w = video.videoWidth
  if (!stampReader) {
    const canvas = document.createElement('canvas')
    canvas.height = 1
    stampReader = canvas.getContext('2d', { willReadFrequently: true })
  }
  if (stampReader.canvas.width !== w) stampReader.canvas.width = w
  stampReader.drawImage(video, 0, Math.floor(video.videoHeight / stampRows / 2), w, 1, 0, 0, w, 1)
  const { data } = stampReader.getImageData(0, 0, w, 1)
  let ms = 0
  let crc = 0
  for (let i = 0; i < stampCells; i++) {
    const one = data[4 * Math.floor(((2 * i + 1) * w) / (2 * stampCells)) + 1] > 127 ? 1 : 0
    if (i < 24) ms = ms * 2 + one
    else crc = crc * 2 + one
  }
  return crc === crc8(ms) ? ms : null
}

// stampCamera gives a photograph that moves under a stamp in the place of a camera.
async function stampCamera(photo, width, height) {
  const image = new Image()
  image.src = photo
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const g = canvas.getContext('2d', { alpha: false, willReadFrequently: true })
  const stream = canvas.captureStream(0)
  const [track] = stream.getVideoTracks()
  setInterval(() => {
    const a = performance.now() / 2000
    g.drawImage(image, -100 * (1 - Math.cos(a)), -100 * (1 - Math.sin(a)), width + 200, height + 200)
    drawStamp(canvas, g, Date.now() % stampWrap)
    track.requestFrame()
  }, 1000 / 30)
  local.addTrack(track)
  return true
}

const ages = [] // of pictures when they are presented: [when, age], in milliseconds

// measureAges makes watch note how old every picture is when the display shows it.
function measureAges() {
  look = (video, now, meta) => {
    const ms = readStamp(video)
    if (ms === null) return
    const shown = performance.timeOrigin + meta.expectedDisplayTime
    ages.push([meta.expectedDisplayTime, (((shown - ms) % stampWrap) + stampWrap) % stampWrap])
  }
}

let look = null // called with every picture that is shown

// show puts the pictures of the others on the page, in so many columns.
function show(n) {
  shown = true
  columns = n
  document.querySelector('main').style.gridTemplateColumns = `repeat(${n}, 1fr)`
}

function connect(name) {
  const pc = new RTCPeerConnection()
  const peer = { pc, started: performance.now(), widths: {}, video: null }
  peers.set(name, peer)
  pc.ontrack = ({ track, streams }) => {
    // Sound has to be played for the jitter buffer to run; pictures are decoded even unseen.
    if (track.kind === 'audio') {
      const audio = new Audio()
      audio.srcObject = new MediaStream([track])
      if (speaker) audio.setSinkId(speaker)
      audio.play()
      peer.audio = audio
    } else if (shown) {
      watch(peer, track)
    }
  }
  return peer
}

// watch shows a track and notes when each width came first, in milliseconds after the call was
// begun.
function watch(peer, track) {
  const video = document.createElement('video')
  video.autoplay = video.muted = video.playsInline = true
  video.srcObject = new MediaStream([track])
  document.querySelector('main').append(video)
  peer.video = video
  const frame = (now, meta) => {
    if (!(meta.width in peer.widths)) peer.widths[meta.width] = now - peer.started
    if (look) look(video, now, meta)
    video.requestVideoFrameCallback(frame)
  }
  video.requestVideoFrameCallback(frame)
}

let startKbps = 0 // at which this page begins to send pictures; 0 for what the browser chooses

function startAt(kbps) {
  startKbps = kbps
}

// hurried is the other's description with the rate at which to begin sending to it.
function hurried(sdp) {
  if (!startKbps) return sdp
  return sdp.replace(/a=rtpmap:(\d+) VP8\/90000\r\n/, (line, type) => `${line}a=fmtp:${type} x-google-start-bitrate=${startKbps}\r\n`)
}

// gathered waits until the description has all candidates: there is no trickling here.
function gathered(pc) {
  return new Promise((resolve) => {
    const done = () => pc.iceGatheringState === 'complete' && resolve(pc.localDescription.sdp)
    pc.onicegatheringstatechange = done
    done()
  })
}

async function offer(name) {
  const { pc } = connect(name)
  for (const track of local.getTracks()) pc.addTrack(track, local)
  for (const kind of ['audio', 'video']) {
    if (!local.getTracks().some((t) => t.kind === kind)) pc.addTransceiver(kind, { direction: 'recvonly' })
  }
  await pc.setLocalDescription()
  return gathered(pc)
}

async function answer(name, sdp) {
  const { pc } = connect(name)
  await pc.setRemoteDescription({ type: 'offer', sdp: hurried(sdp) })
  for (const track of local.getTracks()) pc.addTrack(track, local)
  await pc.setLocalDescription()
  return gathered(pc)
}

async function accept(name, sdp) {
  await peers.get(name).pc.setRemoteDescription({ type: 'answer', sdp: hurried(sdp) })
  return true
}

// stats is what getStats says that the benchmark compares, for each other member.
async function stats() {
  const all = {}
  for (const [name, { pc, widths }] of peers) {
    const s = { state: pc.connectionState, widths, time: performance.now() }
    for (const r of (await pc.getStats()).values()) {
      if (r.type === 'inbound-rtp') s[`${r.kind}In`] = r
      if (r.type === 'outbound-rtp') s[`${r.kind}Out`] = r
      if (r.type === 'candidate-pair' && r.nominated) s.pair = r
    }
    all[name] = s
  }
  return all
}

let reel = [] // pictures that were filmed: {width, height, luma}
let developed = []
let reader = null // of the pictures that are being filmed

// film keeps the luma of a received picture every so many milliseconds, as it was decoded: a
// processor of the track sees frames that nobody paints.
async function film(name, every) {
  const { track } = peers.get(name).pc.getReceivers().find((r) => r.track.kind === 'video')
  reader = new MediaStreamTrackProcessor({ track }).readable.getReader()
  const read = async () => {
    for (let next = 0; ;) {
      const { value: frame, done } = await reader.read()
      if (done) return
      if (performance.now() >= next) {
        next = performance.now() + every
        reel.push(await lumaOf(frame))
      }
      frame.close()
    }
  }
  read()
}

async function lumaOf(frame) {
  if (!/^(I420|NV12)/.test(frame.format)) throw new Error(`a frame in ${frame.format}`)
  const { width, height } = frame.visibleRect
  const all = new Uint8Array(frame.allocationSize())
  const [{ offset, stride }] = await frame.copyTo(all)
  const luma = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) luma.set(all.subarray(offset + y * stride, offset + y * stride + width), y * width)
  return { width, height, luma }
}

// cut ends filming and says how many pictures there are; nextPicture gives one after another.
async function cut() {
  await reader.cancel()
  developed = reel
  reel = []
  return developed.length
}

function nextPicture() {
  const { width, height, luma } = developed.shift()
  return { width, height, luma: luma.toBase64() }
}
