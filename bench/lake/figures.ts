// How the cases of bench/lake.ts measure and tell: one JSON line a figure, floors to be held, medians of rounds.
import { loadavg } from 'node:os'

export interface Figure {
  readonly case: string
  readonly value: number
  readonly unit: string
  readonly ratio?: number
  readonly against?: string
  readonly cpuSeconds?: number
}

interface Floor {
  readonly name: string
  readonly value: number
  readonly floor: number
  readonly held: boolean
}

export interface Timed {
  readonly ms: number
  readonly cpuSeconds: number
}

const floors: Floor[] = []

export const atMost = (name: string, value: number, floor: number): void => void floors.push({ name, value, floor, held: value <= floor })
export const atLeast = (name: string, value: number, floor: number): void => void floors.push({ name, value, floor, held: value >= floor })

const write = (line: object): void => void process.stdout.write(`${JSON.stringify({ bench: 'lake', ...line })}\n`)

export function print({ value, ratio, cpuSeconds, ...figure }: Figure): void {
  write({
    ...figure,
    value: rounded(value),
    ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
    ...(cpuSeconds === undefined ? {} : { cpuSeconds: rounded(cpuSeconds) }),
    load: Number(loadavg()[0]!.toFixed(2)),
  })
}

/** The last line; answers whether every floor held. */
export function printFloors(): boolean {
  const held = floors.every((floor) => floor.held)
  write({ held, floors })
  return held
}

/** Processor seconds are of this process, all threads. */
export async function timed(action: () => Promise<unknown>): Promise<Timed> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await action()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { ms, cpuSeconds: (user + system) / 1e6 }
}

/** Medians over `rounds` runs of `action`, which is told the number of its round. */
export async function medianOf(rounds: number, action: (round: number) => Promise<unknown>): Promise<Timed> {
  const all: Timed[] = []
  for (let round = 0; round < rounds; round++) all.push(await timed(() => action(round)))
  return { ms: median(all.map(({ ms }) => ms)), cpuSeconds: median(all.map(({ cpuSeconds }) => cpuSeconds)) }
}

/** Runs `action` again and again; answers runs a second. */
export async function rateFor(seconds: number, action: (round: number) => Promise<unknown>): Promise<{ rate: number; cpuSeconds: number }> {
  const untilMs = performance.now() + seconds * 1000
  let count = 0
  const { ms, cpuSeconds } = await timed(async () => {
    while (performance.now() < untilMs) await action(count++)
  })
  return { rate: count / (ms / 1000), cpuSeconds }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

const rounded = (value: number): number => Number(value.toPrecision(4))
