// SQL that the console writes itself: names quoted, nothing else taken from the reader.

/** `daily_revenue`, `main."weird name"`: quoted only where it must be, so that the reader sees what they would write. */
export function quoteName(name: string): string {
  return name
    .split('.')
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`))
    .join('.')
}

/** Always quoted: column names may be words of SQL. */
export const quoteColumn = (name: string): string => `"${name.replaceAll('"', '""')}"`
