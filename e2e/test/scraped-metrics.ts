/** The suffixes of what a histogram is exported as. */
const PARTS = /_(?:bucket|sum|count)$/;

/** What one scrape has found, by name and labels. Remembers which families somebody has asked for. */
export class ScrapedMetrics {
  readonly #samples = new Map<string, number>();
  readonly #types = new Map<string, string>();
  readonly #asked: Set<string>;

  constructor(text: string, asked: Set<string>) {
    this.#asked = asked;
    for (const line of text.split("\n")) {
      const [, family, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (family !== undefined && type !== undefined) {
        this.#types.set(family, type);
      } else if (line !== "" && !line.startsWith("#")) {
        const at = line.lastIndexOf(" ");
        this.#samples.set(line.slice(0, at), Number(line.slice(at + 1)));
      }
    }
  }

  static async of(http: string, asked: Set<string>): Promise<ScrapedMetrics> {
    const response = await fetch(`${http}/metrics`);
    const text = await response.text();
    if (response.status !== 200) {
      throw new Error(`/metrics answered ${response.status}: ${text}`);
    }
    return new ScrapedMetrics(text, asked);
  }

  /** By name and labels, as Prometheus writes them. */
  get(sample: string): number | undefined {
    this.#ask(sample);
    return this.#samples.get(sample);
  }

  /** All samples of a name whose labels hold this text, added up. */
  sum(name: string, labels = ""): number {
    this.#ask(name);
    return [...this.#samples]
      .filter(([sample]) => sample.replace(/\{.*/, "") === name && sample.includes(labels))
      .reduce((total, [, value]) => total + value, 0);
  }

  get families(): readonly string[] {
    return [...this.#types.keys()];
  }

  #ask(sample: string): void {
    const name = sample.replace(/\{.*/, "");
    this.#asked.add(this.#types.has(name) ? name : name.replace(PARTS, ""));
  }
}
