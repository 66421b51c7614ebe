// The other side of make bench: a call as a page for meetings makes it, with what a browser
// does by itself: one RTCPeerConnection for each other member, VP8 first, no simulcast.
// The benchmark drives it over the DevTools protocol and carries the descriptions.
'use strict'

const peers = new Map() // of the other members, by name
let local = new MediaStream()
let shown = false // remote pictures are on the page
let columns = 1

// camera opens what this member gives: {video: {width, height, frameRate} or null, audio: true}.
async function camera(want) {
  const video = want.video && {
    width: { exact: want.video.width },
    height: { exact: want.video.height },
    frameRate: { ideal: want.video.frameRate },
  }
  local = await navigator.mediaDevices.getUserMedia({ video: video || false, audio: want.audio })
  return local.getTracks().map((t) => t.getSettings())
}

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
    if (typeof look === 'function') look(video, now, meta)
    video.requestVideoFrameCallback(frame)
  }
  video.requestVideoFrameCallback(frame)
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
  await pc.setRemoteDescription({ type: 'offer', sdp })
  for (const track of local.getTracks()) pc.addTrack(track, local)
  await pc.setLocalDescription()
  return gathered(pc)
}

async function accept(name, sdp) {
  await peers.get(name).pc.setRemoteDescription({ type: 'answer', sdp })
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
