// The shop's fraud processor over its generated payments: how much of the labelled fraud it finds (recall), how many of its
// suspects are fraud (precision), by rules alone and with the model; and events per core-second with its code in a thread of its
// own and in the engine's. One JSON line per figure. Usage: node24 bench/fraud.ts [seed, default 1] [months, default 13]
import { loadavg } from 'node:os'
import { detect, qualityOf, type Suspect, traffic } from './fraud/detect.ts'

const seed = Number(process.argv[2] ?? 1)
const months = Number(process.argv[3] ?? 13)
/** The payments so many times, each time by other customers, so that there is something to measure. */
const TIMES = 5

const { payments, labels } = traffic({
  seed,
  months,
  untilMs: Date.UTC(2026, 10, 25, 16, 20),
  whole: true,
  faults: { duplicates: 0.002, late: 0.002, bad: 0.001 },
  fraud: 0.012,
})

const print = (figure: object): void => {
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
const short = (share: number): number => Number(share.toFixed(4))

const found = await detect(payments, 'thread of its own')
const parts: readonly [string, (suspect: Suspect) => boolean][] = [
  ['rules', ({ reason }) => reason !== 'model'],
  ['rules and model', () => true],
]
for (const [by, isTaken] of parts) {
  const quality = qualityOf(found.suspects.filter(isTaken), labels)
  const { caseRecall, recall, precision } = quality
  print({ figure: 'fraud', by, seed, ...quality, caseRecall: short(caseRecall), recall: short(recall), precision: short(precision) })
}

const many = Array.from({ length: TIMES }, (_, round) => payments.map((line) => again(line, round))).flat()
const timed = many.map((line) => [/"seen":"([^"]*)"/.exec(line)?.[1] ?? '', line] as const).sort(([a], [b]) => (a < b ? -1 : 1))
for (const where of ['same thread', 'thread of its own'] as const) {
  const {
    payments: events,
    cpuSeconds,
    wallSeconds,
  } = await detect(
    timed.map(([, line]) => line),
    where,
  )
  const perCoreSecond = Math.round(events / cpuSeconds)
  print({ figure: 'events per core-second', where, events, perCoreSecond, perSecond: Math.round(events / wallSeconds), load: loadavg()[0] })
}

/** The same payment by another customer. */
function again(line: string, round: number): string {
  return line.replace(/"customer":"/, `"customer":"${round}-`).replace(/"id":"./, `"id":"${round}`)
}
