// What is kept of a call of user code that threw: what it was called with, and where it was.

/** As JSON; integers beyond 2^53 as text. */
export const rawOf = (raw: unknown): Uint8Array =>
  Buffer.from(JSON.stringify(raw, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)))

/** The message and the user's frames: those of Millrace say nothing to him. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const end = frames.findIndex((line) => /\/stream\/processor\/executor\.[jt]s/.test(line))
  const own = (end < 0 ? frames : frames.slice(0, end)).filter((line) => !/\bnode:|\/stream\/state\//.test(line)).slice(0, 10)
  return [
    error.message,
    ...own.map((line) =>
      line
        .trimEnd()
        .replace(/\?v=\d+/, '')
        .replace('file://', ''),
    ),
  ].join('\n')
}
