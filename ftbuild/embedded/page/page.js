"use strict";
(() => {
  const LIVE_MS = 1000, IDLE_MS = 4000, EVENTS = 500, JOBS = 10;
  const ENDED = ["succeeded", "failed", "cancelled"];
  const at = (id) => document.getElementById(id);
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const made = (name, text, kind) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const when = (seconds) => new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const inWords = (seconds) => seconds < 90 ? `${Math.max(0, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;

  // The token comes in the fragment, which no request carries, and stays in this tab.
  let token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  if (token) history.replaceState(null, "", location.pathname);
  try {
    if (token) sessionStorage.setItem("token", token);
    token = token || sessionStorage.getItem("token") || "";
  } catch { /* a browser that stores nothing: the token lasts as long as the page */ }

  class Refused extends Error {}

  const ask = async (path, more = {}) => {
    const headers = { Authorization: `Bearer ${token}`, ...(more.body ? { "Content-Type": "application/json" } : {}) };
    const answer = await fetch(`/v1/${path}`, { cache: "no-store", ...more, headers });
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    const message = (said.error || {}).message || `${answer.status} ${answer.statusText}`;
    if (answer.status === 401) { lock(message); throw new Refused(message); }
    throw new Error(message);
  };
  const read = async (path) => (await ask(path)).json();

  const lock = (why) => {
    at("inside").hidden = true;
    at("door").hidden = false;
    put(at("refused"), why);
    tell("lost", "locked");
  };
  const tell = (kind, text) => { at("state").className = `state fine ${kind}`; put(at("state"), text); };

  // --- jobs ------------------------------------------------------------------------------------

  const jobs = new Map();  // id -> {card, job, steps, checkpoints, seen, last}
  let wanted = JOBS;

  const card = (job, isNewest) => {
    const one = { job, steps: new Map(), checkpoints: [], seen: "", whole: false };
    one.card = at("job-template").content.firstElementChild.cloneNode(true);
    one.card.open = isNewest || !ENDED.includes(job.status);
    one.card.addEventListener("toggle", () => { if (one.card.open) follow(one).catch(failed); });
    for (const button of one.card.querySelectorAll("[data-verb]")) {
      button.addEventListener("click", () => steer(one, button.dataset.verb).catch((error) => put(part(one, ".job-error"), error.message)));
    }
    return one;
  };
  const part = (one, selector) => one.card.querySelector(selector);

  const steer = async (one, verb) => {
    if (verb === "cancel" && !confirm(`Cancel ${one.job.id}? It cannot go on afterwards.`)) return;
    put(part(one, ".job-error"), "");
    const buttons = one.card.querySelectorAll("[data-verb]");
    for (const button of buttons) button.disabled = true;
    try {
      show(one, await (await ask(`fine_tuning/jobs/${one.job.id}/${verb}`, { method: "POST" })).json());
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  };

  const show = (one, job) => {
    one.job = job;
    const rows = [...one.steps.values()];
    const last = rows[rows.length - 1];
    put(part(one, ".job-name"), job.user_provided_suffix || job.id);
    put(part(one, ".badge"), job.status.replace("_", " "));
    part(one, ".badge").className = `badge ${job.status}`;
    const line = [job.model];
    if (last && !ENDED.includes(job.status)) {
      line.push(`step ${last.step} of ${last.total_steps}`);
      if (job.estimated_finish && job.status === "running") line.push(`${inWords(job.estimated_finish - Date.now() / 1000)} left`);
    }
    if (job.finished_at) line.push(when(job.finished_at));
    put(part(one, ".job-line"), line.join(" · "));
    if (job.error) put(part(one, ".job-error"), job.error.message);
    const facts = [["Job", job.id], ["Model", job.fine_tuned_model], ["Method", job.method && job.method.type],
      ["Files", [job.training_file, job.validation_file].filter(Boolean).join(", ")], ["Seed", job.seed],
      ["Learning", Object.entries(job.hyperparameters).map(([name, value]) => `${name} ${value}`).join(", ")],
      ["Tokens", job.trained_tokens && job.trained_tokens.toLocaleString()], ["Created", when(job.created_at)]];
    const said = facts.filter(([, value]) => value || value === 0);
    if (one.facts !== JSON.stringify(said)) {
      one.facts = JSON.stringify(said);
      part(one, ".facts").replaceChildren(...said.map(([name, value]) => {
        const row = document.createElement("div");
        row.append(made("dt", name), made("dd", String(value)));
        return row;
      }));
    }
    for (const button of one.card.querySelectorAll("[data-verb]")) {
      const able = { pause: !ENDED.includes(job.status) && job.status !== "paused", resume: job.status === "paused", cancel: !ENDED.includes(job.status) };
      button.hidden = !able[button.dataset.verb];
    }
  };

  // What is new of a job's events: the newest pages, back to the one that was seen last.
  const follow = async (one) => {
    if (one.whole && ENDED.includes(one.job.status)) return;
    const ended = ENDED.includes(one.job.status);
    const fresh = [];
    let after = "", more = true;
    while (more) {
      const page = await read(`fine_tuning/jobs/${one.job.id}/events?limit=${EVENTS}${after}`);
      const known = page.data.findIndex((event) => event.id === one.seen);
      fresh.push(...(known < 0 ? page.data : page.data.slice(0, known)));
      more = known < 0 && page.has_more;
      after = `&after=${page.last_id}`;
    }
    if (fresh.length) {
      one.seen = fresh[0].id;
      for (const event of fresh.reverse()) {
        if (event.type === "metrics") one.steps.set(event.data.step, event.data);
      }
      one.checkpoints = (await read(`fine_tuning/jobs/${one.job.id}/checkpoints`)).data.map((each) => each.step_number);
      one.newest = fresh[fresh.length - 1].message;
    }
    one.whole = ended;
    draw(one);
    show(one, one.job);
  };

  const nice = (high, parts) => {
    const size = high / parts || 1, power = 10 ** Math.floor(Math.log10(size));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= size - 1e-12);
    return Array.from({ length: Math.ceil(high / step - 1e-9) + 1 }, (_, n) => Number((n * step).toPrecision(12)));
  };

  const draw = (one) => {
    const rows = [...one.steps.values()].sort((a, b) => a.step - b.step);
    const train = rows.map((row) => [row.step, row.train_loss]).filter(([, loss]) => Number.isFinite(loss));
    const valid = rows.map((row) => [row.step, row.valid_loss]).filter(([, loss]) => Number.isFinite(loss));
    part(one, ".figure").hidden = part(one, ".legend").hidden = !train.length;
    put(part(one, ".job-said"), one.newest || "No step yet.");
    if (!train.length) return;
    const total = rows[rows.length - 1].total_steps, ticks = nice(Math.max(...[...train, ...valid].map(([, loss]) => loss)), 4);
    const top = ticks[ticks.length - 1], x = (step) => (100 * step / total).toFixed(2), y = (loss) => (100 - 100 * loss / top).toFixed(2);
    const paths = ticks.map((tick) => ["grid", `M0 ${y(tick)}H100`]);
    for (const step of one.checkpoints) paths.push(["checkpoint", `M${x(step)} 0V100`]);
    for (const [name, points] of [["train", train], ["valid", valid]]) {
      if (points.length > 1) paths.push([name, `M${points.map(([step, loss]) => `${x(step)} ${y(loss)}`).join("L")}`]);
    }
    for (const [step, loss] of valid) paths.push(["valid point", `M${x(step)} ${y(loss)}h0`]);
    if (train.length === 1) paths.push(["train point", `M${x(train[0][0])} ${y(train[0][1])}h0`]);
    part(one, "svg").replaceChildren(...paths.map(([name, path]) => {
      const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
      drawn.setAttribute("class", name);
      drawn.setAttribute("d", path);
      return drawn;
    }));
    part(one, ".y").replaceChildren(...ticks.map((tick) => {
      const label = made("i", String(tick));
      label.style.bottom = `${100 * tick / top}%`;
      return label;
    }));
    part(one, ".x").replaceChildren(...nice(total, 5).filter((tick) => tick <= total && Number.isInteger(tick)).map((tick) => {
      const label = made("i", String(tick));
      label.style.left = `${100 * tick / total}%`;
      return label;
    }));
    const loss = (points) => points.length ? points[points.length - 1][1].toFixed(2) : "none yet";
    part(one, ".figure").setAttribute("aria-label", `Loss after step ${train[train.length - 1][0]} of ${total}: training ${loss(train)}, validation ${loss(valid)}`);
  };

  const lookAtJobs = async () => {
    const page = await read(`fine_tuning/jobs?limit=${wanted}`);
    let above = null;
    for (const job of page.data) {  // newest first; a card that is there is not moved, for it may have the focus
      if (!jobs.has(job.id)) {
        jobs.set(job.id, card(job, above === null));
        if (above) above.after(jobs.get(job.id).card);
        else at("job-list").prepend(jobs.get(job.id).card);
      }
      show(jobs.get(job.id), job);
      above = jobs.get(job.id).card;
    }
    at("older").hidden = !page.has_more;
    at("no-jobs").hidden = page.data.length > 0;
    for (const { id, status } of page.data) {
      if (jobs.get(id).card.open || !ENDED.includes(status)) await follow(jobs.get(id));
    }
    return page.data.some((job) => !ENDED.includes(job.status) && job.status !== "paused");
  };

  at("older").addEventListener("click", () => { wanted += JOBS; lookAtJobs().catch(failed); });

  // --- models and files ------------------------------------------------------------------------

  let models = [], shown = "";

  const LONG = 120; // letters of a name, of which a file may have thousands
  const short = (name) => (name.length > LONG ? `${name.slice(0, LONG)}…` : name);

  const rows = (body, cells) => body.replaceChildren(...cells.map((row) => {
    const line = document.createElement("tr");
    line.append(...row.map(([text, kind], n) => {
      const cell = made(n ? "td" : "th", text, kind);
      if (!n) cell.scope = "row";
      return cell;
    }));
    return line;
  }));

  const lookAtModels = async () => {
    const [listed, files] = await Promise.all([read("models"), read("files?limit=1000")]);
    if (shown === JSON.stringify([listed, files])) return;
    shown = JSON.stringify([listed, files]);
    models = listed.data;
    const what = (id) => id.includes(":ckpt-step-") ? `after step ${id.split(":ckpt-step-")[1]}` : id.startsWith("ft:") ? "tuned" : "base";
    rows(at("model-rows"), [...models].reverse().map((model) => [[model.id], [what(model.id)], [model.created ? when(model.created) : "", "whole"]]));
    rows(at("file-rows"), files.data.map((file) => [[short(file.filename), "name"], [file.purpose, "whole"], [file.bytes.toLocaleString(), "number"], [when(file.created_at), "whole"], [file.id]]));
    offer(models.map((model) => model.id));
  };

  // --- chat ------------------------------------------------------------------------------------

  const sides = [0, 1].map((n) => ({ choice: at(`model-${n}`), said: [] }));
  let stopping = null;

  const offer = (ids) => {
    const tuned = ids.filter((id) => id.startsWith("ft:") && !id.includes(":ckpt-step-"));
    const base = ids.filter((id) => !id.startsWith("ft:"));
    const first = [base[0], tuned[tuned.length - 1] || base[1] || base[0]];
    sides.forEach((side, n) => {
      const chosen = side.touched && ids.includes(side.choice.value) ? side.choice.value : first[n];
      side.choice.replaceChildren(...[...base, ...ids.filter((id) => !base.includes(id)).reverse()].map((id) => {
        const option = made("option", id);
        option.value = id;
        option.selected = id === chosen;
        return option;
      }));
    });
    at("send").disabled = !ids.length;
    takeSystem().catch(failed);
  };

  // A model answers best to the system message that it was trained with: that of its training file's first line.
  const takeSystem = async () => {
    const name = sides.map((side) => side.choice.value).find((id) => id.startsWith("ft:"));
    if (!name || name === takeSystem.of || at("system").dataset.typed) return;
    takeSystem.of = name;
    const job = [...jobs.values()].map((one) => one.job).find((each) => each.fine_tuned_model && name.startsWith(each.fine_tuned_model));
    if (!job) return;
    const reader = (await ask(`files/${job.training_file}/content`)).body.getReader();
    const decoder = new TextDecoder();
    let line = "";
    for (let piece = await reader.read(); !piece.done && !line.includes("\n"); piece = await reader.read()) line += decoder.decode(piece.value, { stream: true });
    reader.cancel();
    const value = JSON.parse(line.split("\n")[0]);
    const system = (value.messages || value.input.messages).find((message) => message.role === "system" || message.role === "developer");
    if (!system || typeof system.content !== "string" || at("system").dataset.typed) return;
    at("system").value = system.content;
    put(at("system-from"), `Taken from the training file of ${job.fine_tuned_model}`);
  };

  const answer = async (side, box, messages, signal) => {
    const [, text, note] = box.children;
    text.classList.add("writing");
    const body = { model: side.choice.value, messages, stream: true, stream_options: { include_usage: true }, seed: 1,
      temperature: Number(at("temperature").value), max_tokens: Number(at("max-tokens").value) };
    let said = "", usage = null, finish = "", buffer = "";
    const started = performance.now();
    try {
      const reader = (await ask("chat/completions", { method: "POST", body: JSON.stringify(body), signal })).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const lines = (buffer + piece.value).split("\n");
        buffer = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
          const chunk = JSON.parse(line.slice(6));
          if (chunk.error) throw new Error(chunk.error.message);
          usage = chunk.usage || usage;
          for (const choice of chunk.choices) { said += choice.delta.content || ""; finish = choice.finish_reason || finish; }
          put(text, said);
        }
      }
      const seconds = (performance.now() - started) / 1000;
      put(note, [`${usage.completion_tokens} tokens in ${seconds.toFixed(1)} s`, finish === "length" ? "cut at the limit" : ""].filter(Boolean).join(", "));
      side.said = [...messages, { role: "assistant", content: said }];
    } catch (error) {
      put(note, error.name === "AbortError" ? "stopped" : error.message);
      note.classList.toggle("missed-text", error.name !== "AbortError");
    } finally {
      text.classList.remove("writing");
    }
  };

  const send = async () => {
    const message = at("message").value.trim();
    if (!message || stopping) return;
    stopping = new AbortController();
    at("send").disabled = true;
    at("stop").hidden = false;
    const turn = at("turn-template").content.firstElementChild.cloneNode(true);
    put(turn.querySelector(".asked-text"), message);
    const boxes = [...turn.querySelectorAll(".said")];
    sides.forEach((side, n) => put(boxes[n].firstElementChild, side.choice.value));
    at("turns").append(turn);
    at("message").value = "";
    const system = at("system").value.trim() ? [{ role: "system", content: at("system").value.trim() }] : [];
    await Promise.all(sides.map((side, n) => {
      const before = at("remember").checked && side.said.length ? side.said : system;
      return answer(side, boxes[n], [...before, { role: "user", content: message }], stopping.signal);
    }));
    stopping = null;
    at("stop").hidden = true;
    at("send").disabled = false;
    at("message").focus();
  };

  at("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  at("message").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); } });
  at("stop").addEventListener("click", () => { if (stopping) stopping.abort(); });
  at("clear").addEventListener("click", () => { at("turns").replaceChildren(); for (const side of sides) side.said = []; at("message").focus(); });
  at("system").addEventListener("input", () => { at("system").dataset.typed = "yes"; put(at("system-from"), ""); });
  for (const side of sides) side.choice.addEventListener("change", () => { side.touched = true; side.said = []; takeSystem().catch(failed); });

  // --- looking again and again -----------------------------------------------------------------

  let timer = 0;
  const failed = (error) => { if (!(error instanceof Refused)) tell("lost", error instanceof TypeError ? "no answer" : error.message); };

  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;  // a page that nobody sees does not keep the server awake
    let isLive = false;
    try {
      isLive = await lookAtJobs();
      await lookAtModels();
      at("door").hidden = true;
      at("inside").hidden = false;
      tell("live", "connected");
    } catch (error) {
      failed(error);
      if (error instanceof Refused) return;
    }
    timer = setTimeout(look, isLive ? LIVE_MS : IDLE_MS);
  };

  at("door").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value.trim();
    try { sessionStorage.setItem("token", token); } catch { /* as above */ }
    look();
  });
  document.addEventListener("visibilitychange", look);
  if (token) look(); else lock("");
})();
