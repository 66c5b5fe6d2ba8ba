// Processors with timers, shared state and further outputs over the real log, killed and flushed anywhere, with hosts that end
// calls at random: what is in the derived streams is what one pass over the whole log gives, without any cut or crash, when
// it leaves out the calls that the log says are left out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { StreamManifest } from '../../src/define/manifest.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import { Executor } from '../../src/stream/processor/executor.ts'
import type { Ended, ProcessorCode, ProcessorHost, Ran, Round, Skipped } from '../../src/stream/processor/host.ts'
import { roundOf } from '../../src/stream/processor/round.ts'
import { StreamSource } from '../../src/stream/source.ts'
import { field, manifestOf, processorOf, StreamWorld, streamOf, until } from './stream-world.ts'

const at = (ms: number): string => new Date(Date.UTC(2026, 0, 1, 12) + ms).toISOString()

const EVENTS = streamOf('events', [field('id', 'int'), field('customer', 'string'), field('seen', 'timestamp')], {
  partitions: 3,
  key: 'customer',
  time: 'seen',
  latenessMs: 60_000,
})
const columns = [field('what', 'string'), field('customer', 'string'), field('n', 'int'), field('seen', 'timestamp')]
const VISITS = streamOf('visits', columns, { source: 'processor', processor: 'visits', partitions: 2, key: 'customer', time: 'seen' })
const QUIET = streamOf('quiet', columns, { source: 'processor', processor: 'visits', partitions: 2, key: 'what', time: 'seen' })
const PROCESSOR = processorOf('visits', 'events', {
  key: 'customer',
  time: 'seen',
  state: { n: { kind: 'value', type: { kind: 'int' } }, all: { kind: 'window', withinMs: 30_000, panes: 10, scope: 'partition' } },
  timers: ['silent', 'check'],
  outputs: { quiet: 'quiet' },
})

interface State {
  readonly n: { get(): number | null; set(n: number): void; clear(): void }
  readonly all: { add(): void; readonly count: number }
}

/** Counts until a customer is silent for ten seconds of event time; looks after each five seconds of the clock. */
const CODE: ProcessorCode = {
  on(row, given, { emit, timer, now }) {
    const { n, all } = given as unknown as State
    const { id, customer, seen } = row as { id: number; customer: string; seen: { plusMs(ms: number): never } }
    n.set((n.get() ?? 0) + 1)
    all.add()
    timer('silent', seen.plusMs(10_000))
    if (n.get() === 1) timer('check', now.plusMs(5_000), 'arrival')
    if (id % 17 === 16) throw new Error(`refused ${id}`)
    emit({ what: `row ${id} ${all.count}`, customer, n: n.get(), seen })
  },
  onTimer: {
    silent({ key, at: seen }, given, { emitTo }) {
      const { n } = given as unknown as State
      emitTo['quiet']!({ what: 'silent', customer: key, n: n.get() ?? 0, seen })
      n.clear()
    },
    check({ key }, given, { emitTo, timer, now }) {
      const { n } = given as unknown as State
      emitTo['quiet']!({ what: `check ${now.epochMs}`, customer: key, n: n.get() ?? 0, seen: now })
      // Not for ever: the last rows are one a customer.
      if ((n.get() ?? 0) > 1) timer('check', now.plusMs(5_000), 'arrival')
    },
  },
}

const MANIFEST = manifestOf({ relations: [EVENTS, VISITS, QUIET], processors: [PROCESSOR] })

async function skipsOf(world: StreamWorld): Promise<Skipped[]> {
  const { log } = world.now
  if (!log.topics().some(({ topic }) => topic === 'visits__skips')) return []
  const batches = await log.read('visits__skips', 0, 0, 1 << 24)
  return batches.flatMap(({ payload, count }) =>
    Buffer.from(payload)
      .toString()
      .split('\n')
      .slice(0, count)
      .map((line) => JSON.parse(line) as Skipped),
  )
}

/** One pass over the whole log, partition by partition. */
async function expected(world: StreamWorld): Promise<{ visits: string[]; quiet: string[]; refused: string[] }> {
  const source = new StreamSource(world.now.log, EVENTS, compileScanner(EVENTS.shape))
  await source.restore([0, 0, 0], null)
  const outputs: readonly StreamManifest[] = [VISITS, QUIET]
  const executor = new Executor({ processor: PROCESSOR, input: EVENTS, outputs, code: CODE })
  const skipped = await skipsOf(world)
  const lines: string[][] = [[], []]
  const refused: string[] = []
  for (let partition = 0; partition < 3; partition++) {
    for (let delivery = await source.read(partition, 1 << 30); delivery; delivery = await source.read(partition, 1 << 30)) {
      let ran = executor.run(
        roundOf(
          delivery,
          EVENTS,
          skipped.filter((one) => one.partition === partition),
        ),
      )
      for (;;) {
        for (const { output, payload, count } of ran.emissions)
          lines[output]!.push(...Buffer.from(payload).toString().split('\n').slice(0, count).map(textOf))
        refused.push(...ran.refusals.map(({ code, message }) => `${code} ${message.split('\n')[0]}`))
        if (ran.isDone) break
        ran = executor.resume()
      }
    }
  }
  return { visits: lines[0]!.sort(), quiet: lines[1]!.sort(), refused: refused.sort() }
}

const textOf = (line: string): string => {
  const { what, customer, n, seen } = JSON.parse(line) as Record<string, unknown>
  return [what, customer, n, Date.parse(seen as string)].join(' ')
}

async function found(world: StreamWorld): Promise<{ visits: string[]; quiet: string[]; refused: string[] }> {
  const rowsOf = async (relation: string): Promise<string[]> =>
    (
      await world.ask(
        `SELECT what, customer, n, epoch_ms(seen)::BIGINT FROM ${relation} UNION ALL SELECT what, customer, n, epoch_ms(seen)::BIGINT FROM ${relation}__late`,
      )
    )
      .map((row) => row.map(String).join(' '))
      .sort()
  const refused = (await world.ask('SELECT code, message FROM visits__rejected')).map(
    ([code, message]) => `${code} ${String(message).split('\n')[0]}`,
  )
  return { visits: await rowsOf('visits'), quiet: await rowsOf('quiet'), refused: refused.sort() }
}

async function feed(world: StreamWorld, random: Random, rounds: number, onRound: (round: number) => Promise<void>): Promise<number> {
  let id = 0
  for (let round = 0; round < rounds; round++) {
    for (let batch = 0; batch < 3; batch++) {
      await world.send(
        'events',
        Array.from({ length: 1 + integer(random, 12) }, () => ({
          id: id++,
          customer: `c${integer(random, 7)}`,
          seen: at(id * 700 - integer(random, 20_000)),
        })),
      )
    }
    await world.clock.advance(integer(random, 6_000))
    await onRound(round)
  }
  // The watermark passes everything that is still open, and the clock every timer.
  await world.send(
    'events',
    Array.from({ length: 12 }, (_, i) => ({ id: id + i, customer: `c${i}`, seen: at(id * 700 + 3_600_000) })),
  )
  for (let step = 0; step < 12; step++) {
    await world.caughtUp()
    await world.clock.advance(3_000)
  }
  await world.driving(world.flush())
  await world.caughtUp()
  return id
}

for (const seed of [1, 2, 3]) {
  test(`timers, shared state and outputs come to the same, killed and flushed anywhere (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    await using world = await StreamWorld.open({ manifest: MANIFEST, processors: { visits: CODE }, readBytes: 400 })
    const sent = await feed(world, random, 8, async () => {
      if (integer(random, 2) === 0) await world.caughtUp()
      if (integer(random, 3) === 0) await world.driving(world.flush())
      if (integer(random, 2) === 0) await world.restart({ readBytes: 200 + integer(random, 2_000) })
    })
    const wanted = await settled(world)
    assert.deepEqual(await found(world), wanted)
    assert.ok(wanted.visits.length > sent / 2 && wanted.quiet.some((text) => text.startsWith('silent')), 'timers by event time fired')
    assert.ok(
      wanted.quiet.some((text) => text.startsWith('check')),
      'timers by arrival fired',
    )
    assert.deepEqual(await skipsOf(world), [])
    assert.equal((await world.ask('SELECT count(*) FROM visits__late'))[0]![0], 0n, 'what is emitted in time is not late')
  })
}

/** What is expected once it is there: a timer that is due may still add its record while this looks. */
async function settled(world: StreamWorld): ReturnType<typeof expected> {
  let wanted = await expected(world)
  for (let step = 0; step < 100 && !isDeepStrictEqual(await found(world), wanted); step++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await world.caughtUp()
    wanted = await expected(world)
  }
  return wanted
}

const isCursed = (partition: number, offset: number): boolean => (offset * 31 + partition * 7) % 23 === 5

/** Ends calls, as a thread that was ended does: what it had is lost. */
function mortal(host: ProcessorHost, random: Random, chance: () => number): ProcessorHost {
  const survived = async (round: Round, run: () => Promise<Ran | Ended>): Promise<Ran | Ended> => {
    const offsets = [...round.rows].map((row) => round.offsets[row]!)
    const isLeft = (offset: number): boolean => !round.skipped.some((skipped) => skipped.offset === offset && skipped.nth === -1)
    const left = offsets.filter(isLeft)
    // Some never come back, others do when they are tried again.
    const cursed = left.find((offset) => isCursed(round.partition, offset))
    const offset = cursed ?? (random.next() < chance() ? left[integer(random, left.length)] : undefined)
    if (offset === undefined) return run()
    return { kind: 'ended', partition: round.partition, offset, nth: -1, code: 'MR_ROW_PROCESSOR_TIME', message: `ended at ${offset}` }
  }
  return {
    restore: (saved) => host.restore(saved),
    run: (round) => survived(round, () => host.run(round)),
    resume: () => host.resume(),
    save: () => host.save(),
    get keys() {
      return host.keys
    },
    get bytes() {
      return host.bytes
    },
    close: () => host.close(),
  }
}

for (const seed of [11, 12, 13, 14]) {
  test(`calls that are ended are left out once it is decided, and nothing that was written is taken back (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    let chance = 0.04
    await using world = await StreamWorld.open({
      manifest: MANIFEST,
      processors: { visits: CODE },
      readBytes: 400,
      wrapHost: (host) => mortal(host, random, () => chance),
    })
    const sent = await feed(world, random, 6, async (round) => {
      for (let step = 0; step < 20; step++) await world.clock.advance(200)
      if (integer(random, 3) === 0) await world.restart({ readBytes: 200 + integer(random, 2_000) })
      // Each end begins anew at the last commit: while they go on, it may never come to the end of the log.
      if (round === 5) chance = 0
    })
    for (let step = 0; step < 100; step++) await world.clock.advance(200)
    await world.caughtUp()
    await world.driving(world.flush())
    await until(() => world.pipeline('process:visits').pipeline.inputs.every(({ committed }) => committed !== null))
    const wanted = await settled(world)
    const skipped = await skipsOf(world)
    assert.deepEqual(await found(world), wanted)
    assert.equal(wanted.refused.filter((text) => text.startsWith('MR_ROW_PROCESSOR_TIME')).length, skipped.length)
    assert.ok(world.events.some((event) => event.kind === 'failed' && event.error.code === 'MR_PROCESSOR_ENDED'))
    assert.ok(skipped.filter(({ partition, offset }) => isCursed(partition, offset)).length >= 2 && sent > 50)
  })
}
