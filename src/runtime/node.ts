// A running node: everything of one process, put together. It constructs and connects; what happens to data is decided in the
// parts. Start order: data directory, stores, log, lake, engine, tables, pipelines, runs, ports; stop is the reverse.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asMillraceError } from '../core/errors.ts'
import { EventBus } from '../core/events.ts'
import { systemRandom } from '../core/random.ts'
import { stateScope } from '../define/encrypted.ts'
import { sinkAsset } from '../define/sink.ts'
import { audited } from '../govern/audit.ts'
import { deleteRows } from '../ingest/delete-rows.ts'
import { beginLogThread } from '../log/thread/threaded-log.ts'
import { Figures } from '../observe/figures.ts'
import { openMetrics } from '../observe/metrics.ts'
import { SeriesStore } from '../observe/series.ts'
import { startMaintenance } from '../orchestrate/maintenance.ts'
import { storeHistory } from '../orchestrate/store-history.ts'
import { storeCheckHistory } from '../quality/store-history.ts'
import { beginDoorThreads } from '../serve/doors/door-threads.ts'
import { serveHttp } from '../serve/serve-http.ts'
import { openCheckpoints } from '../stream/checkpoint.ts'
import { Live } from '../stream/live.ts'
import { Materialize } from '../stream/materialize.ts'
import type { ProcessorHost } from '../stream/processor/host.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import { makeChanger } from './change-by-sql.ts'
import { type Closer, closeAll, within } from './closers.ts'
import { secretOf, takeDataDirectory } from './data-directory.ts'
import { diskScratch } from './disk-scratch.ts'
import { openLogger } from './logger.ts'
import type { NodeOptions } from './node-options.ts'
import { openAccess } from './open-access.ts'
import { openRuns } from './open-runs.ts'
import { openNodeStorage } from './open-storage.ts'
import { makePipelines, type PipelinesParts, type RunningPipeline } from './pipelines.ts'
import { publishBranch } from './publish-branch.ts'
import { startBackfill } from './start-backfill.ts'
import { committedOffsets, makeStorageActions } from './storage-actions.ts'
import { openTopics } from './topics.ts'

/** Directory of the package. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version

export interface RunningNode {
  readonly url: string
  readonly ports: Readonly<Record<string, number>>
  readonly data: string
  /** The administrator's token of this start. */
  readonly token: string
  /** Commits everything that was read. */
  flush(): Promise<void>
  /** Drains and stops. */
  stop(): Promise<void>
}

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const directory = takeDataDirectory(options.data)
  const closers: Closer[] = [() => directory.release()]
  try {
    return await compose(options, directory, closers)
  } catch (error) {
    // The error that stopped the start is the one to tell.
    await closeAll(closers, () => {})
    throw error
  }
}

/** How long the last flush may take: what is not in the tables then is in the log. */
const LAST_FLUSH_MS = 30_000

const stopPipelines = async (pipelines: readonly RunningPipeline[]): Promise<void> => {
  await Promise.all(pipelines.map(({ pipeline }) => pipeline.stop()))
}

type ChangedKey = { readonly kind: 'changed'; readonly key: readonly [string, string?] }

async function compose(options: NodeOptions, directory: ReturnType<typeof takeDataDirectory>, closers: Closer[]): Promise<RunningNode> {
  const { clock, settings, manifest } = options
  const doorThreads = beginDoorThreads(settings.doorThreads)
  closers.push(() => doorThreads.close())
  const logThread = beginLogThread()
  closers.push(async () => void (await logThread.terminate()))
  const logger = openLogger(settings.logLevel, clock)
  const metrics = openMetrics()
  const series = new SeriesStore()
  const bus = new EventBus<ChangedKey>()
  const changed = (...key: [string, string?]): void => bus.emit({ kind: 'changed', key })
  const storage = await openNodeStorage(options, directory, logger, logThread, closers)
  const { store, log, warehouse, engine, catalog, lake, parser, relations } = storage
  const history = storeHistory(store)
  const checks = storeCheckHistory(store, clock, systemRandom)
  const change = makeChanger({ clock, log, parser, relations, settings, manifest: () => manifest, pipelineOf: (name) => pipelineOf(name)! })
  const access = await openAccess(options, storage, directory, { history, checks, metrics, change }, closers)
  const { audit, tokens, answerer } = access
  const settle = async (model: string): Promise<number | null> => {
    const pipeline = pipelines.find(({ makes, sink }) => makes === model && sink instanceof Live)?.pipeline
    // Read before: what it says now is committed by the time the flush is done.
    const watermarkUs = pipeline && !pipeline.rebuild ? pipeline.watermarkUs : null
    await flush()
    return watermarkUs
  }
  const runs = openRuns(options, { storage, history, checks, metrics, logger, changed, settle })
  const { runner, alerts } = runs
  await history.closeOpen(clock.nowMs())

  const figures = new Figures({ clock, series, log })
  const onEvent = (event: StreamEvent): void => {
    metrics.streamEvent(event)
    figures.event(event)
    alerts.streamed(event)
    if (event.kind === 'failed')
      logger.error('a pipeline starts again from its last commit', event.error, { pipeline: event.pipeline, againMs: event.againMs })
    if (event.kind === 'flushed')
      for (const table of event.tables) {
        runs.committed(table)
        topics.committed(table)
      }
    if (event.kind === 'applied') {
      const name = figures.makes(event.pipeline)
      changed('stream', name)
      changed('relation', name)
    }
  }
  const hosts: ProcessorHost[] = []
  const hostOf: PipelinesParts['hostOf'] = (...about) => {
    const host = options.hostOf(...about)
    hosts.push(host)
    return host
  }
  const scratchOf: PipelinesParts['scratchOf'] = ({ name, encrypted }) => {
    const scratch = diskScratch(join(directory.temp, 'state', name), encrypted)
    closers.push(() => scratch.close())
    return scratch
  }
  let intakeMs = (): number => 0
  const checkpoints = openCheckpoints(warehouse.store, clock, systemRandom, warehouse.checkpoints, {
    keys: storage.keys,
    scopeOf: (pipeline) => stateScope(manifest, pipeline.replace(/^\w+:|@.*$/g, '')),
  })
  const pipelines: RunningPipeline[] = await makePipelines(
    {
      clock,
      intakeMs: () => intakeMs(),
      random: systemRandom,
      log,
      lake,
      catalog,
      checkpoints,
      onEvent,
      relations,
      engine,
      parser,
      settings,
      hostOf,
      scratchOf,
    },
    manifest,
  )
  figures.watch(pipelines)
  const topics = openTopics({
    options,
    storage,
    metrics,
    flush: async (relation) =>
      void (await Promise.all(pipelines.flatMap(({ makes, pipeline }) => (makes === relation ? [pipeline.flush()] : [])))),
    onFailed: (flow, error, againMs) => {
      const { name, relation, direction } = flow.figures
      logger.retried(direction === 'in' ? 'a topic is not read' : 'a sink does not write', error, { name, againMs })
      alerts.ran(direction === 'in' ? name : sinkAsset(name), 'failed', error.message)
      changed('relation', relation)
    },
    onRecovered: ({ figures: { name, relation, direction } }) => {
      alerts.ran(direction === 'in' ? name : sinkAsset(name), 'succeeded', null)
      changed('relation', relation)
    },
    onPassed: () => changed('lineage'),
  })
  const flush = async (): Promise<void> => {
    // Streams that processors emit into have rows only after their inputs were read: as often as there are steps.
    for (let depth = 0; depth <= manifest.processors.length; depth++) await Promise.all(pipelines.map(({ pipeline }) => pipeline.flush()))
  }
  /** Of a logged relation: what puts its rows into its tables. */
  const pipelineOf = (name: string) => pipelines.find(({ makes, sink }) => makes === name && sink instanceof Materialize)?.pipeline
  let isStarted = false
  closers.push(async () => void (await Promise.all(hosts.map((host) => host.close()))))
  closers.push(() => stopPipelines(pipelines))
  closers.push(() => (isStarted ? within(clock, LAST_FLUSH_MS, flush()) : undefined))
  closers.push(() => runner.stop(10_000))
  for (const { pipeline } of pipelines) pipeline.start()
  await Promise.all(pipelines.map(({ pipeline }) => pipeline.ready))
  closers.push(() => topics.stop())
  await topics.start()

  const actions = makeStorageActions({
    clock,
    lake,
    engine,
    log,
    audit,
    offsets: () =>
      committedOffsets(
        store,
        pipelines.map(({ pipeline }) => pipeline.settings.name),
      ),
    onChanged: (table, what) => (what === 'rows' ? runs.changedOutside(table) : relations.committed(table)),
  })
  let isReady = false
  const http = await serveHttp({
    host: options.host,
    port: options.port,
    bodyBytesMax: settings.bodyBytesMax,
    doorThreads,
    random: systemRandom,
    cursorKey: secretOf(directory.path, 'cursor'),
    consoleDirectory: join(ROOT, 'console', 'dist'),
    isReady: () => isReady && log.healthy,
    deleteRows: (name, request) =>
      deleteRows(
        {
          engine,
          lake,
          log,
          catchUp: async (table) => pipelineOf(table)?.catchUp(),
          onCommitted: runs.changedOutside,
        },
        name,
        manifest.relations.find((relation) => relation.name === name),
        request,
        { bodyBytesMax: settings.bodyBytesMax },
      ),
    printMetrics: async () => ({ type: metrics.contentType, text: await metrics.print() }),
    onCollected: metrics.collected,
    onError: (error, request) => logger.error('a request failed', error, request),
    iceberg: {
      onCommitted: (table) => (relations.has(table.name) ? runs.changedOutside(table) : metrics.committed(table.name)),
      record: (caller, action, object, outcome) => audit.record(caller, { action, object, outcome, detail: {} }),
      verifyToken: access.verify,
      isShared: warehouse.remote !== undefined,
      ...warehouse.clients,
    },
    admin: {
      clock,
      version: VERSION,
      environment: options.environment,
      manifest: () => manifest,
      code: () => options.code,
      log,
      lake,
      catalog,
      relations,
      history,
      checks,
      series,
      answerer,
      pipelines: () => figures.pipelines(),
      flows: () => topics.flows.map((flow) => flow.figures),
      startRun: runs.start,
      startBackfill: async (who, model, request) => {
        const parts = { manifest, pipelines, runner, steps: runs.steps, code: options.code }
        const start = () => startBackfill(parts, who.user, model, request)
        return request.dryRun ? start() : audited(audit, who, { action: 'backfill', object: model, detail: { ...request } }, start)
      },
      onChange: (listener) => bus.on((event) => listener(event.key)),
      tokens,
      storage: actions,
      publish: (who, tables, branch) =>
        audited(audit, who, { action: 'publish', object: tables.join(', '), detail: { branch } }, () =>
          publishBranch(runs.steps, tables, branch),
        ),
      maintain: (who, tables) =>
        audited(
          audit,
          who,
          { action: 'maintain', object: tables.join(', ') || '*', detail: {} },
          () => maintenance.run(tables, who.user),
          ({ runId }) => ({ run: runId }),
        ),
      verifyAudit: () => audit.verify(),
    },
  })
  intakeMs = http.busyMs
  closers.push(() => http.close())
  tokens.onRevoked(http.forget)
  closers.push(() => runs.rechecks.stop())
  figures.refresh(metrics)
  metrics.onScrape((gauges) => {
    if (warehouse.remote) gauges.cache(warehouse.remote.cache.figures)
    for (const { figures } of topics.flows) gauges.flow(figures)
    for (const { name } of manifest.relations) {
      const committedMs = relations.has(name) ? relations.tableOf(name)?.current?.timestampMs : undefined
      if (committedMs !== undefined) gauges.freshness(name, (clock.nowMs() - committedMs) / 1_000)
    }
  })
  const maintenance = startMaintenance({
    clock,
    random: systemRandom,
    history,
    code: () => options.code,
    onRun: (run) => changed('run', run.id),
    onStep: (step) => {
      const { filesBefore, filesAfter, bytesBefore, bytesAfter } = step.saved!
      metrics.maintained(step.relation, step.name.split('.').at(-1)!, filesBefore - filesAfter, bytesBefore - bytesAfter)
      if (step.status === 'succeeded') logger.info('maintained a table', { step: step.name, note: step.note, ...step.saved })
      changed('run', step.runId)
    },
    lake,
    engine,
    log,
    manifest,
    everyMs: settings.maintenanceMs,
    committedOffset: (topic, partition) =>
      Math.min(
        ...pipelines
          .flatMap(({ pipeline }) => pipeline.inputs)
          .filter((input) => input.topic === topic && input.partition === partition)
          .map(({ committed }) => committed ?? 0),
        ...pipelines.map(({ sink }) => sink.heldFrom?.(topic) ?? Number.POSITIVE_INFINITY),
      ),
    onCommitted: runs.changedOutside,
    onError: (message, error) => logger.error(message, error),
  })
  // What is under way loses its engine and is done again after the next start.
  closers.push(() => void maintenance.stop())
  alerts.start(
    (await history.lastSteps())
      .filter((step) => step.status === 'failed')
      .map((step) => [step.relation, step.error?.message ?? `${step.relation} failed`]),
  )
  closers.push(() => alerts.stop())
  if (options.schedule) {
    closers.push(() => runs.unschedule())
    await runs.schedule()
  }
  const url = `http://${options.host === '0.0.0.0' ? '127.0.0.1' : options.host}:${http.port}`
  const ports = { http: http.port }
  directory.announce({ url, pid: process.pid, ports })
  isReady = isStarted = true
  logger.info('ready', { url })
  return {
    url,
    ports,
    data: directory.path,
    token: access.administrator,
    flush,
    async stop() {
      isReady = false
      await closeAll(closers, (cause) => logger.error('a part did not stop in order', asMillraceError(cause)))
      logger.info('stopped')
    },
  }
}
