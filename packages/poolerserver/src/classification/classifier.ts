import { toSqlText } from "@multipooler/pgwire";
import { SimilarTexts } from "./similar-texts.ts";
import { eitherEscape, findReadOnlyEscapes } from "../read-only-guard.ts";
import type { SessionIsolation } from "../session-isolation.ts";
import { CatalogReader } from "./catalog-reader.ts";
import type { AdminQuery } from "./catalog-rows.ts";
import { TextCache } from "../text-cache.ts";
import type { TextCacheOptions } from "../text-cache.ts";
import type { Classification, DoubtReview, StatementClassifier } from "./classification.ts";
import { judge } from "./judgement.ts";
import type { Knowledge } from "./judgement.ts";
import type { KnownEffects } from "./known-effects.ts";
import { isIndifferentToConstants } from "./text-facts.ts";
import type { TextFacts } from "./text-facts.ts";
import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";
import { shapeOf } from "./text-shape.ts";
import { readQuery } from "./text-reader.ts";

const CACHE: TextCacheOptions = {
  maxEntries: 8192,
  maxBytes: 4 * 1024 * 1024,
  maxTextBytes: 16 * 1024,
};

/** Where the catalog is read, and how much is remembered of texts, and as much of their shapes. */
export interface ClassifierOptions {
  readonly admin: AdminQuery;
  readonly cache?: TextCacheOptions | undefined;
  /** Default: "strict". Otherwise nothing that a text leaves in its session counts as taint. */
  readonly isolation?: SessionIsolation | undefined;
}

/**
 * Classifies the texts of one database. Before the catalog has been read, and between a change of it
 * and the end of the next {@link refresh}, every text that could have to do with it is taken for one
 * that may do anything. Of changes made elsewhere it learns by the refresh that its owner calls from
 * time to time.
 */
export class Classifier implements StatementClassifier, DoubtReview {
  readonly #reader: CatalogReader;
  readonly #texts: TextCache<Classification>;
  readonly #shapes: TextCache<Classification>;
  readonly #isolation: SessionIsolation;
  readonly #similar = new SimilarTexts<Classification>();
  #known: KnownEffects | undefined;
  /** Changes noted so far, and how many of them `#known` has seen. */
  #changes = 0;
  #changesKnown = 0;
  #refreshing: Promise<void> | undefined;

  constructor({ admin, cache = CACHE, isolation = "strict" }: ClassifierOptions) {
    this.#isolation = isolation;
    this.#reader = new CatalogReader({ admin });
    this.#texts = new TextCache(cache);
    this.#shapes = new TextCache(cache);
  }

  /** Whether the catalog is known as of the last change that was noted. */
  get isCurrent(): boolean {
    return this.#known !== undefined && this.#changesKnown === this.#changes;
  }

  /** See {@link DoubtReview}. */
  get changes(): number {
    return this.#changes;
  }

  taintSince(text: string, changes: number): TaintSet | undefined {
    if (this.#known === undefined || this.#changesKnown < changes) {
      return undefined;
    }
    return this.isCurrent
      ? this.classify(text).taint
      : this.#judge(readQuery(toSqlText(text)), { known: this.#known, isCurrent: true }).taint;
  }

  /** `sql` in UTF-8, without the terminator. */
  classify(sql: string | Uint8Array): Classification {
    const text = toSqlText(sql);
    const remembered = this.#similar.get(text) ?? this.#texts.get(text);
    if (remembered !== undefined) {
      return remembered;
    }
    const classification = this.#texts.takes(text)
      ? this.#classifyByShape(text, sql)
      : this.#read(text, sql).classification;
    this.#texts.set(text, classification);
    return classification;
  }

  /** Statements that differ in constants only are judged once. */
  #classifyByShape(text: string, sql: string | Uint8Array): Classification {
    const shape = shapeOf(text);
    const similar = shape === undefined ? undefined : this.#shapes.get(shape);
    if (similar !== undefined) {
      this.#similar.set(text, similar);
      return similar;
    }
    const { classification, facts } = this.#read(text, sql);
    if (shape !== undefined && isIndifferentToConstants(facts)) {
      this.#shapes.set(shape, classification);
    }
    return classification;
  }

  #read(
    text: string,
    sql: string | Uint8Array,
  ): { classification: Classification; facts: TextFacts } {
    const facts = readQuery(text);
    const knowledge =
      this.#known === undefined ? undefined : { known: this.#known, isCurrent: this.isCurrent };
    const judged = this.#judge(facts, knowledge);
    const escapes = eitherEscape(findReadOnlyEscapes(sql), judged.escapes);
    return { classification: { ...judged, escapes }, facts };
  }

  #judge(facts: TextFacts, knowledge: Knowledge | undefined): Classification {
    const judged = judge(facts, knowledge);
    if (this.#isolation === "strict") {
      return judged;
    }
    const taint = taintOnStatements(judged);
    return { ...judged, taint, certainTaint: taint };
  }

  /**
   * The catalog may have changed: call it when a text with `ddl` is sent, and once more when its
   * transaction has ended. A {@link refresh} has to follow.
   */
  noteDdl(): void {
    if (this.isCurrent) {
      this.#forget();
    }
    this.#changes += 1;
  }

  /**
   * Reads the catalog. Rejects with the error of `admin`, or with the signal's reason; what was known
   * stays then. A call while another one reads waits for that, and reads again only if a change was
   * noted meanwhile.
   */
  async refresh({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#refreshing === undefined) {
      await this.#start(signal);
      return;
    }
    const changes = this.#changes;
    await this.#refreshing.catch(() => undefined);
    if (this.#known === undefined || this.#changesKnown < changes) {
      await this.refresh({ signal });
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    this.#refreshing = this.#readCatalog(signal);
    try {
      await this.#refreshing;
    } finally {
      this.#refreshing = undefined;
    }
  }

  async #readCatalog(signal: AbortSignal | undefined): Promise<void> {
    const changes = this.#changes;
    const known = await this.#reader.read({ signal });
    if (known !== this.#known || !this.isCurrent) {
      this.#forget();
    }
    this.#known = known;
    this.#changesKnown = changes;
  }

  #forget(): void {
    this.#texts.clear();
    this.#shapes.clear();
    this.#similar.clear();
  }
}

/** Of what is not taken away: only that the statements of the registry may be gone. */
function taintOnStatements({ deallocates }: Pick<Classification, "deallocates">): TaintSet {
  return deallocates ? Taint.State : Taint.None;
}
