/** A line of a document that links to source files, and the names in code that it has. */
export interface SourceReference {
  /** 1-based. */
  readonly line: number;
  /** The files, as the line links to them. */
  readonly files: readonly string[];
  readonly names: readonly string[];
  /** Where the line is a step of a numbered list: its number. */
  readonly step: number | undefined;
}

/** The lines of a Markdown text that link to TypeScript files. */
export function sourceReferencesOf(markdown: string): SourceReference[] {
  return markdown.split("\n").flatMap((text, index) => {
    const files = matches(text, /\]\(([^)\s]+\.ts)\)/g);
    if (files.length === 0) {
      return [];
    }
    const step = /^(\d+)\. /.exec(text)?.[1];
    return [
      {
        line: index + 1,
        files,
        names: matches(text, /`([A-Za-z_]\w*)`/g),
        step: step === undefined ? undefined : Number(step),
      },
    ];
  });
}

/**
 * What is wrong with the references of a document: names that none of the files of their line has
 * outside of comments, steps that are not one file with a name from it, and other numbered lists
 * than `paths`, or longer ones than `maxSteps`.
 *
 * @param sourceOf the text of a file as a line links to it; `undefined`: it does not exist
 */
export function referenceFaults(
  references: readonly SourceReference[],
  sourceOf: (file: string) => string | undefined,
  limits: { readonly paths: number; readonly maxSteps: number },
): string[] {
  const steps = references.filter(({ step }) => step !== undefined);
  const paths = steps.filter(({ step }) => step === 1).length;
  return [
    ...references.flatMap((reference) => nameFaults(reference, sourceOf)),
    ...steps.flatMap(({ line, files, names, step = 0 }) => [
      ...(files.length === 1 && names.length > 0
        ? []
        : [`${line}: a step is one file and what is in it`]),
      ...(step > limits.maxSteps ? [`${line}: a path has at most ${limits.maxSteps} files`] : []),
    ]),
    ...(paths === limits.paths ? [] : [`1: there are ${paths} paths and not ${limits.paths}`]),
  ];
}

function nameFaults(
  { line, files, names }: SourceReference,
  sourceOf: (file: string) => string | undefined,
): string[] {
  const words = new Set(files.flatMap((file) => wordsOf(sourceOf(file) ?? "")));
  return names
    .filter((name) => !words.has(name))
    .map((name) => `${line}: ${files.join(" and ")} has no ${name}`);
}

/** The words of a source, without its comments. */
function wordsOf(source: string): string[] {
  return source.replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, "").match(/[A-Za-z_]\w*/g) ?? [];
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(({ 1: found = "" }) => found);
}
