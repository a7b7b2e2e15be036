// What a model has to read before it can be searched: the gallery and the example texts. The model of the page finds
// the gallery's vectors ready; where they do not fit, and with other models, pictures and texts are read here, the
// latter only when the user asks for it, as it may take long.

import type { Picture } from "./data/gallery.ts";
import { VectorsRefused } from "./data/picture-vectors.ts";
import type { ShortText } from "./data/texts.ts";
import { count, duration, milliseconds } from "./format.ts";
import type { Session } from "./session.ts";
import { setFact } from "./views/facts.ts";
import { Notice } from "./views/notice.ts";
import type { TabName } from "./views/tabs.ts";

export interface ReadingsEvents {
  /** More of a tab can be found than before. */
  onGrown(tab: TabName): void;
  onComplete(): void;
  onError(error: unknown): void;
}

interface Content {
  readonly pictures: readonly Picture[];
  readonly texts: readonly ShortText[];
}

type Work = (signal: AbortSignal, onProgress: (done: number) => void) => Promise<void>;

interface Job {
  readonly tab: TabName;
  readonly total: number;
  /** "pictures", "texts": for sentences. */
  readonly noun: string;
  /** Why it is done, before how far it is. */
  readonly reason: string;
  readonly fact: string;
  readonly work: Work;
}

export class Readings {
  readonly #events: ReadingsEvents;
  readonly #notices = { pictures: new Notice("pictures"), texts: new Notice("texts") };

  constructor(events: ReadingsEvents) {
    this.#events = events;
  }

  /** Everything that can be had without being asked; resolves when that is done. */
  async begin(session: Session, { pictures, texts }: Content): Promise<void> {
    this.#notices.pictures.hide();
    this.#notices.texts.hide();
    const embedded = session.choice.kind === "embedded";
    const pictureJob = (reason: string): Job => ({
      tab: "pictures",
      noun: "pictures",
      total: pictures.length,
      reason,
      fact: "Per picture",
      work: (signal, onProgress) => session.readPictures(pictures, signal, onProgress),
    });
    const textJob: Job = {
      tab: "texts",
      noun: "texts",
      total: texts.length,
      reason: "",
      fact: "Per text",
      work: (signal, onProgress) => session.readTexts(texts, signal, onProgress),
    };
    if (embedded) {
      const refused = await this.#takeStored(session, pictures);
      if (session.ended.aborted) return;
      this.#events.onComplete();
      if (refused !== undefined && session.has("vision"))
        await this.#run(
          session,
          pictureJob(
            `The gallery's stored vectors cannot be used: ${refused}. The pictures are read now; you can search meanwhile.`,
          ),
        );
      if (session.has("text")) await this.#run(session, textJob);
      return;
    }
    const ownTexts = texts.filter(({ emoji }) => emoji === undefined);
    if (session.has("vision")) this.#offer(session, pictureJob(""), "emoji pictures");
    else
      this.#notices.pictures.show({
        text: "This model was loaded without its picture half: there is nothing to find here.",
      });
    if (session.has("text")) {
      this.#offer(session, textJob, "example texts");
      this.readOwnTexts(session, ownTexts);
    } else
      this.#notices.texts.show({
        text: "This model was loaded without its text half: there is nothing to find here.",
      });
  }

  /** Texts that the user added: read at once. */
  readOwnTexts(session: Session, texts: readonly ShortText[]): void {
    if (texts.length === 0 || !session.has("text")) return;
    session
      .readTexts(texts, session.ended, () => this.#events.onGrown("texts"))
      .then(
        () => this.#events.onComplete(),
        (error: unknown) => session.ended.aborted || this.#events.onError(error),
      );
  }

  /** undefined: taken; else why not. */
  async #takeStored(session: Session, pictures: readonly Picture[]): Promise<string | undefined> {
    try {
      const known = new Set(pictures.map(({ id }) => id));
      const taken = await session.takeStoredVectors((id) => known.has(id));
      return taken === pictures.length ? undefined : "some pictures have none";
    } catch (error) {
      return error instanceof VectorsRefused ? error.message : "they could not be fetched";
    }
  }

  #offer(session: Session, job: Job, what: string): void {
    this.#notices[job.tab].show({
      text: `This model has not read the ${count(job.total)} ${what} yet. Your own ${job.noun} can be searched at once.`,
      action: {
        label: `Read the ${what}`,
        run: () => void this.#run(session, job, () => this.#offer(session, job, what)),
      },
    });
  }

  /** With a notice and a way to stop; `onStopped` is what to show afterwards. */
  async #run(session: Session, job: Job, onStopped?: () => void): Promise<void> {
    const { tab, total, noun, reason, fact, work } = job;
    const notice = this.#notices[tab];
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, session.ended]);
    const action = onStopped && { label: "Stop", run: () => stop.abort() };
    const began = performance.now();
    const show = (done: number) => {
      const left = done > 0 ? ((performance.now() - began) / done) * (total - done) : 0;
      const text = `${reason || `Reading the ${noun}.`} ${count(done)} of ${count(total)}${left > 3000 ? `, about ${duration(left)} left` : ""}`;
      notice.show({ text, ...(action && { action }) });
      notice.progress(done / total);
    };
    show(0);
    try {
      await work(signal, (done) => {
        show(done);
        this.#events.onGrown(tab);
      });
      notice.hide();
      setFact(fact, milliseconds((performance.now() - began) / total));
      this.#events.onComplete();
    } catch (error) {
      notice.hide();
      if (session.ended.aborted) return;
      if (stop.signal.aborted) onStopped?.();
      else this.#events.onError(error);
    }
  }
}
