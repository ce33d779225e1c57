import { setImmediate as nextTurn } from "node:timers/promises";
import { BUILTIN_TAINTS, PROMPT_VOLATILE_FUNCTIONS } from "./builtin-functions.ts";
import * as queries from "./catalog-queries.ts";
import { nameOf, objectOf, textOf, usageOf } from "./catalog-rows.ts";
import type { AdminQuery, Row } from "./catalog-rows.ts";
import { WAITS, onInsert, onWrite } from "./effect.ts";
import type { Effect } from "./effect.ts";
import { ESCAPING_FUNCTIONS } from "./escaping-functions.ts";
import { EffectGraph, effectThrough, keyOf } from "./effect-graph.ts";
import type { CatalogObject, Surroundings, UsageEdge } from "./effect-graph.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import { effectOfBody, userFunctionOf } from "./user-function.ts";
import type { UserFunction } from "./user-function.ts";

/** So much code of functions is read in one turn of the event loop. */
const SOURCE_BYTES_A_TURN = 128 * 1024;

interface CatalogReaderOptions {
  readonly admin: AdminQuery;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Finds out from a server's catalog which names do something to a session, or wait. */
export class CatalogReader {
  readonly #admin: AdminQuery;
  #last: { readonly signature: string; readonly known: KnownEffects } | undefined;

  constructor({ admin }: CatalogReaderOptions) {
    this.#admin = admin;
  }

  /** The same object as before if nothing has changed. Rejects as the query does. */
  async read(options: CallOptions): Promise<KnownEffects> {
    const [row = {}] = await this.#admin(queries.SIGNATURE, [], options);
    const signature = textOf(row, "signature");
    if (this.#last?.signature !== signature) {
      this.#last = { signature, known: await this.#readAll(options) };
    }
    return this.#last.known;
  }

  async #readAll(options: CallOptions): Promise<KnownEffects> {
    const builtins = builtinsOf(await this.#admin(queries.BUILTINS, [LISTED_BUILTINS], options));
    const graph = new EffectGraph();
    await this.#addExpressions(graph, builtins, options);
    const functions = await this.#readFunctions(builtins, options);
    const known: KnownEffects = {
      names: graph.names,
      operators: graph.operators,
      waitingCalls: builtins.waitingNames,
      get anything() {
        return graph.anything;
      },
      get ddl() {
        return graph.ddl;
      },
    };
    for (const { object, effect } of functions) {
      graph.add(object, effect);
    }
    do {
      await this.#spread(graph, options);
    } while (addBodies(graph, functions, known));
    // Without the graph.
    return { ...known };
  }

  /** What uses functions of pg_catalog in an expression, and what uses a sequence of its own. */
  async #addExpressions(
    graph: EffectGraph,
    builtins: Builtins,
    options: CallOptions,
  ): Promise<void> {
    for (const [object, effect] of builtins.relations) {
      graph.add(object, effect);
    }
    for (const row of await this.#admin(
      queries.EXPRESSIONS,
      [[...builtins.byField.keys()].join(",")],
      options,
    )) {
      const effect = builtins.byField.get(textOf(row, "builtin")) ?? 0;
      graph.add(objectOf(row), effectThrough(usageOf(row), effect));
    }
    for (const row of await this.#admin(queries.IDENTITY_RELATIONS, [], options)) {
      graph.add(objectOf(row), onInsert(Taint.Sequences));
    }
  }

  async #readFunctions(builtins: Builtins, options: CallOptions): Promise<UserFunction[]> {
    const functions: UserFunction[] = [];
    let bytes = 0;
    for (const row of await this.#admin(queries.USER_FUNCTIONS, [], options)) {
      functions.push(userFunctionOf(row, builtins.bySource));
      bytes += textOf(row, "source").length;
      if (bytes > SOURCE_BYTES_A_TURN) {
        bytes = 0;
        await nextTurn();
      }
    }
    return functions;
  }

  /** Asks the server for the users of what has an effect, and for the users of these, and so on. */
  async #spread(graph: EffectGraph, options: CallOptions): Promise<void> {
    for (;;) {
      const objects = graph.spread();
      if (objects.length === 0) {
        return;
      }
      const surroundings = await this.#surroundingsOf(objects, options);
      for (const object of objects) {
        graph.place(object, surroundings.get(keyOf(object)) ?? NOWHERE);
      }
    }
  }

  async #surroundingsOf(
    objects: readonly CatalogObject[],
    options: CallOptions,
  ): Promise<ReadonlyMap<string, Surroundings>> {
    const found = new Map<string, { name: string; users: UsageEdge[] }>();
    const values = [
      objects.map(({ kind }) => kind).join(","),
      objects.map(({ oid }) => oid).join(","),
    ];
    for (const row of await this.#admin(queries.USERS, values, options)) {
      const key = keyOf({ kind: textOf(row, "source"), oid: textOf(row, "id") });
      const surroundings = found.get(key) ?? { name: "", users: [] };
      found.set(key, surroundings);
      if (textOf(row, "kind") === "itself") {
        surroundings.name = nameOf(row);
      } else {
        surroundings.users.push({ usage: usageOf(row), user: objectOf(row) });
      }
    }
    return found;
  }
}

const LISTED_BUILTINS = [
  ...new Set([...BUILTIN_TAINTS.keys(), ...ESCAPING_FUNCTIONS.keys()]),
].join();

const NOWHERE: Surroundings = { name: "", users: [] };

/** What in pg_catalog does something to the session, or waits. */
interface Builtins {
  /** By the field that stands for it in the text of an expression tree. */
  readonly byField: ReadonlyMap<string, Effect>;
  /** Functions by the name of the C function. */
  readonly bySource: ReadonlyMap<string, Effect>;
  readonly relations: readonly (readonly [object: CatalogObject, effect: Effect])[];
  readonly waitingNames: ReadonlySet<string>;
}

/** Fields of an expression tree that hold the OID of a function. */
const FUNCTION_FIELDS = ["funcid", "opfuncid", "aggfnoid", "winfnoid"];

function builtinsOf(rows: readonly Row[]): Builtins {
  const byField = new Map<string, Effect>();
  const bySource = new Map<string, Effect>();
  const relations: (readonly [CatalogObject, Effect])[] = [];
  const waitingNames = new Set<string>();
  for (const row of rows) {
    const object = objectOf(row);
    if (object.kind === "relation") {
      const effect = onWrite(Taint.Settings | Taint.Seed);
      relations.push([object, effect]);
      byField.set(`relid ${object.oid} `, effect);
      continue;
    }
    const name = nameOf(row);
    const waits = textOf(row, "isVolatile") === "true" && !PROMPT_VOLATILE_FUNCTIONS.has(name);
    const effect =
      (BUILTIN_TAINTS.get(name) ?? 0) | (ESCAPING_FUNCTIONS.get(name) ?? 0) | (waits ? WAITS : 0);
    if (effect === 0) {
      continue;
    }
    for (const field of FUNCTION_FIELDS) {
      byField.set(`${field} ${object.oid} `, effect);
    }
    bySource.set(textOf(row, "source"), effect);
    if (waits) {
      waitingNames.add(name);
    }
  }
  return { byField, bySource, relations, waitingNames };
}

/** Adds what the code of functions does by the names in it. Returns whether there was news. */
function addBodies(
  graph: EffectGraph,
  functions: readonly UserFunction[],
  known: KnownEffects,
): boolean {
  let hasNews = false;
  for (const { object, facts } of functions) {
    if (facts !== undefined) {
      hasNews = graph.add(object, effectOfBody(facts, known)) || hasNews;
    }
  }
  return hasNews;
}
