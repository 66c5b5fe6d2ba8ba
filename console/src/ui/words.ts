// States as words: what a relation, a run or a check is, in the reader's language. Pure.
import type { CheckManifest } from '../../../src/define/manifest.ts'
import type { NodeFlow } from '../../../src/serve/answers/flows.ts'
import type { LineageNode } from '../../../src/serve/answers/lineage.ts'
import type { CheckResult } from '../../../src/serve/answers/quality.ts'
import type { CheckCounts, Freshness, RelationSummary } from '../../../src/serve/answers/relations.ts'
import type { RunState } from '../../../src/serve/answers/runs.ts'
import { formatDuration, plural } from './format.ts'
import type { StateWords, Tone } from './state.tsx'

/** What never ran does not fail. */
export const failing = (checks: CheckCounts): number => checks.warned + checks.blocked + checks.quarantining

/** Late before checks, checks before fresh. */
export function relationWords(freshness: Freshness, checks: CheckCounts | null): StateWords {
  if (freshness.state === 'late') {
    const why = { source: ', source down', run: ', run failed', stopped: ', stopped', waits: ', waits' }
    return { tone: 'bad', word: 'Late', ...(freshness.why ? { more: why[freshness.why.kind] } : {}) }
  }
  if (checks !== null && checks.blocked > 0) return { tone: 'bad', word: plural(checks.blocked, 'check blocks', 'checks block') }
  if (checks !== null && failing(checks) > 0) {
    const count = failing(checks)
    return { tone: 'warn', word: plural(count, 'check warns', 'checks warn') }
  }
  if (freshness.state === 'empty') return { tone: 'idle', word: 'No rows yet' }
  if (freshness.state === 'unknown') return { tone: 'idle', word: 'No target' }
  return { tone: 'ok', word: 'Fresh' }
}

/** A topic that is read, or that a sink writes. */
export function flowWords({ kind }: Pick<LineageNode, 'kind'>, { stopped, lag }: NodeFlow): StateWords {
  if (stopped !== null) return { tone: 'bad', word: 'Stopped' }
  if (lag === null) return { tone: 'idle', word: 'Not known' }
  if (lag === 0) return { tone: 'ok', word: 'Up to date' }
  return { tone: 'run', word: `${plural(lag, kind === 'sink' ? 'row' : 'message')} behind` }
}

/** What a node of the lineage graph is in; null of what has no state. */
export function nodeWords(node: LineageNode): StateWords | null {
  if (node.flow !== undefined) return flowWords(node, node.flow)
  return node.freshness === undefined ? null : relationWords(node.freshness, node.checks ?? null)
}

/** The pill beside a relation's title: says more, because it stands alone. */
export function titleWords(relation: RelationSummary): StateWords {
  const words = relationWords(relation.freshness, relation.checks)
  if (words.tone === 'warn' && relation.checks !== null && relation.checks.setAside > 0)
    return { tone: 'warn', word: plural(relation.checks.setAside, 'row quarantined', 'rows quarantined') }
  if (words.word === 'Fresh' && relation.checks !== null && relation.checks.total > 0) return { tone: 'ok', word: 'Fresh, right' }
  return words
}

/** Streams, processors and live models are one group of the overview; then tables; then models. */
export function groupOf(relation: RelationSummary): 'Streams' | 'Tables' | 'Models' {
  if (relation.kind === 'stream' || relation.how === 'live') return 'Streams'
  return relation.kind === 'table' ? 'Tables' : 'Models'
}

const RUN_WORDS: Record<RunState, [Tone, string]> = {
  queued: ['idle', 'queued'],
  running: ['run', 'running'],
  done: ['ok', 'done'],
  failed: ['bad', 'failed'],
  partial: ['bad', 'failed in part'],
  cancelled: ['idle', 'cancelled'],
}
export const runWords = (state: RunState): { tone: Tone; word: string } => ({ tone: RUN_WORDS[state][0], word: RUN_WORDS[state][1] })

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** The check as it is written in code. */
export function checkText(rule: CheckManifest['rule']): string {
  switch (rule.kind) {
    case 'not_null':
      return `notNull(${rule.column})`
    case 'unique':
      return `unique(${rule.columns.join(', ')})`
    case 'between':
      return `between(${rule.column}, ${rule.min ?? 'any'}, ${rule.max ?? 'any'})`
    case 'in':
      return rule.values.length > 3
        ? `oneOf(${rule.column}, ${rule.values.length} values)`
        : `oneOf(${rule.column}, ${rule.values.join(', ')})`
    case 'matches':
      return `matches(${rule.column}, "${rule.pattern}")`
    case 'references':
      return `references(${rule.column}, ${rule.to.relation}.${rule.to.column})`
    case 'fresh':
      return `fresh(${rule.column}, ${formatDuration(rule.withinMs)})`
    case 'row_count':
      return `rowCount(${rule.min ?? 0} to ${rule.max ?? 'any'})`
    case 'row_count_anomaly':
      return `rowCountAnomaly(${rule.sigma} sigma)`
    case 'sql':
      return rule.sql.text.replace(/\s+/g, ' ').slice(0, 80)
  }
}

export type Dimension = 'validity' | 'completeness' | 'consistency' | 'uniqueness' | 'timeliness' | 'volume'

export function dimensionOf(rule: CheckManifest['rule']): Dimension {
  if (rule.kind === 'not_null') return 'completeness'
  if (rule.kind === 'unique') return 'uniqueness'
  if (rule.kind === 'references') return 'consistency'
  if (rule.kind === 'fresh') return 'timeliness'
  if (rule.kind === 'row_count' || rule.kind === 'row_count_anomaly') return 'volume'
  return 'validity'
}

export const severityWord = (severity: CheckManifest['severity']): string =>
  ({ warn: 'Warns', block: 'Blocks', quarantine: 'Quarantines' })[severity]

export function checkWords(result: CheckResult): { tone: Tone; word: string } {
  const found = result.found ?? 0
  switch (result.status) {
    case 'pass':
      return { tone: 'ok', word: 'Pass' }
    case 'warn':
      return { tone: 'warn', word: found > 0 ? plural(found, 'row fails', 'rows fail') : 'Warns' }
    case 'quarantine':
      return { tone: 'warn', word: plural(found, 'row set aside', 'rows set aside') }
    case 'block':
      return { tone: 'bad', word: 'Blocks' }
    case 'error':
      return { tone: 'bad', word: 'Could not run' }
    case 'never':
      return { tone: 'idle', word: 'Not run yet' }
  }
}
