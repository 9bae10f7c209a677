// The player of one recording. Without it the browser's own is there; with it also tracks, keys and spoken positions.
"use strict";
(() => {
  const STEP_S = 5;
  const player = document.querySelector(".player");
  const audio = player.querySelector("audio");
  const toggle = player.querySelector("[data-toggle]");
  const slider = player.querySelector("input[type=range]");
  const told = player.querySelector("output");
  const length = Number(slider.max);
  const silences = [...document.querySelectorAll("li[data-since]")].map((item) => ({
    since: Number(item.dataset.since), until: Number(item.dataset.until), why: item.textContent.split(": ").slice(1).join(": "),
  }));

  player.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
  audio.controls = false;

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  let wanted = 0;  // a position chosen before the browser knows the sound

  const at = () => (audio.readyState ? audio.currentTime : wanted);

  function show() {
    const now = at();
    const silent = silences.find((one) => one.since <= now && now < one.until);
    slider.value = now;
    told.textContent = `${clock(now)} ${player.dataset.of} ${clock(length)}`;
    slider.setAttribute("aria-valuetext", silent ? `${told.textContent}, ${silent.why}` : told.textContent);
    player.querySelectorAll("svg").forEach((drawing) => {
      const box = drawing.viewBox.baseVal;
      const x = length ? (now / length) * box.width : 0;
      drawing.querySelector(".head").setAttribute("d", `M${x} 0V${box.height}`);
    });
  }

  function go(seconds) {
    wanted = Math.min(length, Math.max(0, seconds));
    if (audio.readyState) audio.currentTime = wanted;
    show();
  }

  function play() {
    if (!audio.paused) { audio.pause(); return; }
    if (at() >= length) go(0);
    audio.play().catch(() => {});  // what is wrong the event "error" tells
  }

  audio.addEventListener("loadedmetadata", () => { if (wanted) audio.currentTime = wanted; });
  ["play", "pause", "ended"].forEach((name) => audio.addEventListener(name, () => {
    toggle.textContent = audio.paused ? player.dataset.start : player.dataset.pause;
  }));
  ["timeupdate", "seeked", "loadedmetadata", "ended"].forEach((name) => audio.addEventListener(name, show));
  audio.addEventListener("error", () => { player.querySelector(".closed").hidden = false; });

  toggle.addEventListener("click", play);
  slider.addEventListener("input", () => go(Number(slider.value)));
  player.querySelector("select").addEventListener("change", (event) => { audio.playbackRate = Number(event.target.value); });
  player.querySelectorAll("svg").forEach((drawing) => drawing.addEventListener("click", (event) => {
    const box = drawing.getBoundingClientRect();
    go(((event.clientX - box.left) / box.width) * length);
  }));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const own = event.target === slider;
    if (!own && event.target.closest("a, button, input, select, textarea")) return;
    const moves = { ArrowLeft: at() - STEP_S, ArrowRight: at() + STEP_S, Home: 0, End: length };
    if (own) Object.assign(moves, { ArrowDown: moves.ArrowLeft, ArrowUp: moves.ArrowRight });
    if (event.key === " ") play();
    else if (event.key in moves) go(moves[event.key]);
    else return;
    event.preventDefault();
  });

  // Each track by itself: one that is heard alone is heard in both ears.
  const tracks = [...player.querySelectorAll("[data-channel]")];
  let gains = null;
  function split() {
    const context = new AudioContext();
    const both = context.createChannelSplitter(2);
    const ears = context.createChannelMerger(2);
    context.createMediaElementSource(audio).connect(both);
    ears.connect(context.destination);
    context.resume();
    return tracks.map((_, channel) => [0, 1].map((ear) => {
      const gain = context.createGain();
      both.connect(gain, channel).connect(ears, 0, ear);
      return gain.gain;
    }));
  }
  function hear() {
    gains = gains || split();
    const alone = tracks.filter((track) => track.checked).length === 1;
    tracks.forEach((track, channel) => [0, 1].forEach((ear) => {
      gains[channel][ear].value = track.checked && (alone || channel === ear) ? 1 : 0;
    }));
  }
  tracks.forEach((track) => track.addEventListener("change", hear));

  // How much of it was heard, once, when the page is left.
  addEventListener("pagehide", () => {
    let heard = 0;
    for (let part = 0; part < audio.played.length; part += 1) heard += audio.played.end(part) - audio.played.start(part);
    fetch(player.dataset.heard, {
      method: "POST", keepalive: true, headers: { "X-Form-Token": player.dataset.token },
      body: new URLSearchParams({ heard_s: heard.toFixed(1) }),
    });
  });

  show();
})();
