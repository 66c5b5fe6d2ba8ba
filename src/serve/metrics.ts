// Metrics for callers who are no administrators: samples about relations whose rows they may not count are left out. Pure.

/** Labels whose value is a relation, or a pipeline (`stream:orders`, `live:per_minute@...`) that makes one. */
const NAMED = /[{,](?:stream|table|asset|relation|pipeline)="((?:\\.|[^"\\])*)"/

/** Prometheus text without the samples that name a relation for which `mayCount` does not hold. */
export function shownMetrics(text: string, mayCount: (relation: string) => boolean): string {
  const isShown = (line: string): boolean => {
    const name = line.startsWith('#') ? undefined : NAMED.exec(line)?.[1]
    return name === undefined || mayCount(relationOf(name))
  }
  return text.split('\n').filter(isShown).join('\n')
}

const relationOf = (name: string): string => name.slice(name.indexOf(':') + 1).split('@')[0]!
