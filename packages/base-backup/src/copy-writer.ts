import { join } from "node:path";
import type { ArchivePart } from "./archive-parts.ts";
import type { BackupReceiver, BackupStart, SourceTablespace } from "./backup-stream.ts";
import { BaseBackupError, BaseBackupErrorCode, damaged, malformed } from "./error.ts";
import { Extraction } from "./extraction.ts";
import type { Owner, WrittenFile } from "./extraction.ts";
import { Target } from "./target.ts";
import { TarReader } from "./tar-reader.ts";

/** Where a copy is written. */
export interface CopyWriterOptions {
  readonly dataDir: string;
  readonly owner: Owner | undefined;
  readonly durable: boolean;
  /** For each tablespace of the source, by its location there, its place here. */
  readonly tablespaces: ReadonlyMap<string, string>;
}

/** What the bytes that come now are. */
type Current =
  | { readonly type: "archive"; readonly reader: TarReader; readonly extraction: Extraction }
  | { readonly type: "manifest"; readonly chunks: Buffer[] };

/** One of 2 million files has about this size. */
const MAX_MANIFEST_BYTES = 536_870_912;

/** Writes the archives of a base backup, and keeps its manifest. */
export class CopyWriter implements BackupReceiver, AsyncDisposable {
  readonly #options: CopyWriterOptions;
  /** By the name of the archive. */
  readonly #targets = new Map<string, Target>();
  readonly #links = new Map<string, string>();
  readonly #written = new Map<string, WrittenFile>();
  #current: Current | undefined;
  #manifest: Buffer | undefined;
  #manifestBytes = 0;
  /** Where the WAL of the copy begins. */
  startLsn = "";

  constructor(options: CopyWriterOptions) {
    this.#options = options;
  }

  /** The files that were written, by their path in the manifest. */
  get written(): ReadonlyMap<string, WrittenFile> {
    return this.#written;
  }

  /** @throws MALFORMED when there was none */
  get manifest(): Buffer {
    if (this.#manifest === undefined) {
      throw malformed("there is no manifest");
    }
    return this.#manifest;
  }

  /** Where the data directory is filled. */
  get staging(): string {
    const target = this.#targets.get(BASE_ARCHIVE);
    if (target === undefined) {
      throw malformed("there is no data directory");
    }
    return target.staging;
  }

  async begin({ tablespaces, startLsn }: BackupStart): Promise<void> {
    this.startLsn = startLsn;
    const { dataDir, owner } = this.#options;
    const places = tablespaces.map((tablespace) => this.#placeOf(tablespace));
    this.#targets.set(BASE_ARCHIVE, await Target.prepare(dataDir, owner));
    for (const { oid, place } of places) {
      this.#targets.set(`${oid}.tar`, await Target.prepare(place, owner));
      this.#links.set(`pg_tblspc/${oid}`, place);
    }
  }

  async part(part: ArchivePart): Promise<void> {
    switch (part.type) {
      case "archive":
        await this.finish();
        this.#current = this.#openArchive(part.name);
        return;
      case "manifest":
        await this.finish();
        this.#current = { type: "manifest", chunks: [] };
        return;
      case "data":
        await this.#data(part.bytes);
    }
  }

  /** What was written last is complete. */
  async finish(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    switch (current?.type) {
      case undefined:
        return;
      case "archive":
        current.reader.finish();
        await current.extraction.sync();
        return;
      case "manifest":
        this.#manifest = Buffer.concat(current.chunks);
    }
  }

  /** Moves everything into place, the data directory last. */
  async commit(): Promise<void> {
    for (const target of [...this.#targets.values()].toReversed()) {
      await target.commit();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#current?.type === "archive") {
      await this.#current.extraction[Symbol.asyncDispose]();
    }
    for (const target of this.#targets.values()) {
      await target[Symbol.asyncDispose]();
    }
  }

  #placeOf({ oid, location }: SourceTablespace): { readonly oid: string; readonly place: string } {
    const place = this.#options.tablespaces.get(location);
    if (place === undefined) {
      throw new BaseBackupError(
        BaseBackupErrorCode.TablespaceUnmapped,
        `the source has a tablespace at ${location}: say where it goes here`,
      );
    }
    return { oid, place };
  }

  #openArchive(name: string): Current {
    const target = this.#targets.get(name);
    if (target === undefined) {
      throw malformed(`it has an archive called ${JSON.stringify(name)}`);
    }
    const { owner, durable } = this.#options;
    const extraction = new Extraction({
      directory: target.staging,
      prefix: name === BASE_ARCHIVE ? "" : `pg_tblspc/${name.replace(/\.tar$/, "")}/`,
      owner,
      durable,
      links: this.#links,
      written: this.#written,
    });
    return { type: "archive", extraction, reader: new TarReader(extraction) };
  }

  async #data(bytes: Buffer): Promise<void> {
    const current = this.#current;
    switch (current?.type) {
      case undefined:
        throw malformed("it begins without an archive");
      case "archive":
        await current.reader.write(bytes);
        return;
      case "manifest":
        this.#manifestBytes += bytes.length;
        if (this.#manifestBytes > MAX_MANIFEST_BYTES) {
          throw damaged(`the manifest is larger than ${MAX_MANIFEST_BYTES} bytes`);
        }
        current.chunks.push(Buffer.from(bytes));
    }
  }
}

/** The archive of the data directory; others are called after the OID of their tablespace. */
const BASE_ARCHIVE = "base.tar";

/** Where WAL is in a data directory. */
export function walDirIn(dataDir: string): string {
  return join(dataDir, "pg_wal");
}
