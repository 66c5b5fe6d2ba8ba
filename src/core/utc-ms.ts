// Times as people write them in questions and on the command line. Events are read strictly and elsewhere (`src/schema/scan/`).

/** Milliseconds of a date or an instant, with a T or a space between, UTC where it says no zone; NaN for what is none. */
export function utcMs(text: string): number {
  const iso = text.trim().replace(' ', 'T')
  return Date.parse(/T[\d:.]+$/.test(iso) ? `${iso}Z` : iso)
}
