// A running node: everything of one process, put together. It constructs and connects; what happens to data is decided in the
// parts. Start order: data directory, stores, log, lake, engine, tables, pipelines, runs, ports; stop is the reverse.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { EventBus } from '../core/events.ts'
import { systemRandom } from '../core/random.ts'
import type { LakeSettings } from '../define/lake.ts'
import type { Manifest } from '../define/manifest.ts'
import { openParser } from '../engine/ast.ts'
import { openEngine } from '../engine/duckdb.ts'
import { fileNames } from '../engine/file-names.ts'
import { RelationStore } from '../engine/relations.ts'
import { openAudit } from '../govern/audit.ts'
import { ADMIN } from '../govern/identity.ts'
import { isJwt, openJwt } from '../govern/jwt.ts'
import { openGuard } from '../govern/secure.ts'
import { openTokens, type Tokens } from '../govern/token.ts'
import { deleteRows } from '../ingest/delete-rows.ts'
import { openLake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import { openEmbeddedLog } from '../log/embedded.ts'
import type { LogEvent } from '../log/settings.ts'
import { isRemote } from '../objects/object-store.ts'
import { Alerts } from '../observe/alerts.ts'
import { Figures } from '../observe/figures.ts'
import { openMetrics } from '../observe/metrics.ts'
import { SeriesStore } from '../observe/series.ts'
import { assetsOf, chooseAssets, isAsset, storedUnder } from '../orchestrate/graph.ts'
import { startMaintenance } from '../orchestrate/maintenance.ts'
import { Rechecks } from '../orchestrate/rechecks.ts'
import { Runner } from '../orchestrate/runner.ts'
import { storeHistory } from '../orchestrate/store-history.ts'
import { Triggers } from '../orchestrate/triggers.ts'
import { storeCheckHistory } from '../quality/store-history.ts'
import { serveHttp } from '../serve/serve-http.ts'
import { openStore } from '../store/open-store.ts'
import { openCheckpoints } from '../stream/checkpoint.ts'
import { Live } from '../stream/live.ts'
import type { ProcessorHost } from '../stream/processor/host.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import { makeAnswerer } from './answerer.ts'
import { recordDeployed } from './apply.ts'
import { readToken, takeDataDirectory, writeToken } from './data-directory.ts'
import { deployTables, openRelations } from './deploy.ts'
import { explainRead } from './explain-read.ts'
import { type Logger, openLogger } from './logger.ts'
import { openCatalog } from './open-catalog.ts'
import { makePipelines, type PipelinesParts, type RunningPipeline } from './pipelines.ts'
import { publishBranch } from './publish-branch.ts'
import { recheck, runStep, type StepParts } from './run-step.ts'
import { jwtSettings, resolveText, type Settings } from './settings.ts'
import { committedOffsets, makeStorageActions } from './storage-actions.ts'
import { isSystemRelation, resolveSystem } from './system-relations.ts'
import { archivePlaces, lastArchives, openWarehouse } from './warehouse.ts'

/** Directory of the package. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version

export interface NodeOptions {
  readonly manifest: Manifest
  /** Where the code of a processor runs. */
  readonly hostOf: PipelinesParts['hostOf']
  /** Directory of the project: file sources are relative to it. */
  readonly directory: string
  readonly data: string
  readonly environment: string
  /** Where tables lie; absent = in the data directory. */
  readonly lake?: LakeSettings
  /** Fingerprint of the project's code, when it is known. */
  readonly code: string | null
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly settings: Settings
  readonly clock: Clock
  readonly host: string
  /** First port; 0 = any free. */
  readonly port: number
  readonly isOpen: boolean
  /** Starts by itself what is stale or due; tests switch it off. */
  readonly schedule: boolean
}

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

/** A secret of this data directory, made once. */
function secretOf(path: string, name: string): Buffer {
  const file = join(path, `${name}.key`)
  try {
    return readFileSync(file)
  } catch {
    const key = Buffer.from(systemRandom.bytes(32))
    writeFileSync(file, key, { mode: 0o600, flag: 'wx' })
    return key
  }
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

type Closer = () => Promise<void> | void

/** Closes what was opened, the last first, each even when one fails; a second call closes nothing. */
async function closeAll(closers: Closer[], onError: (cause: unknown) => void): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    try {
      await close()
    } catch (cause) {
      onError(cause)
    }
  }
}

/** What the log says about itself, except what it does all the time. */
function tellLog(logger: Logger, event: LogEvent): void {
  const { kind, ...about } = event
  if (kind === 'log.committed' || kind === 'log.removed') return
  if (kind === 'log.resumed') logger.info('the log takes rows again')
  else logger.warn(kind, about)
}

const stopPipelines = async (pipelines: readonly RunningPipeline[]): Promise<void> => {
  await Promise.all(pipelines.map(({ pipeline }) => pipeline.stop()))
}

async function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  await Promise.race([work, clock.sleep(ms, done.signal).catch(() => {})])
  done.abort()
}

/** The token of an earlier start while it is valid: idempotency keys are scoped by token and must outlive a restart. */
async function administratorToken(tokens: Tokens, path: string): Promise<string> {
  const known = readToken(path)
  const isValid =
    known !== undefined &&
    (await tokens.verify(known).then(
      (identity) => identity.isAdmin,
      () => false,
    ))
  if (isValid) return known
  const { token } = await tokens.create({ user: 'administrator', roles: [ADMIN], attributes: {} })
  writeToken(path, token)
  return token
}

type ChangedKey = { readonly kind: 'changed'; readonly key: readonly [string, string?] }

async function compose(options: NodeOptions, directory: ReturnType<typeof takeDataDirectory>, closers: Closer[]): Promise<RunningNode> {
  const { clock, settings, manifest } = options
  const logger = openLogger(settings.logLevel, clock)
  const metrics = openMetrics()
  const series = new SeriesStore()
  const bus = new EventBus<ChangedKey>()
  const changed = (...key: [string, string?]): void => bus.emit({ kind: 'changed', key })
  const store = openStore(directory.control)
  closers.push(() => store.close())
  const log = await openEmbeddedLog({ disk: nodeDisk, clock, directory: directory.log, onEvent: (event) => tellLog(logger, event) })
  closers.push(() => log.close())
  const warehouse = await openWarehouse(
    { clock, random: systemRandom, environment: options.variables, data: directory, cacheBytes: settings.cacheBytes },
    options.lake,
    archivePlaces(manifest),
  )
  mkdirSync(directory.temp, { recursive: true })
  const engine = await openEngine({
    clock,
    directories: [directory.path, options.directory, ...lastArchives(directory).filter((place) => !isRemote(place))],
    tempDirectory: directory.temp,
    memoryLimitBytes: settings.memoryLimitBytes,
    ...(settings.threads === undefined ? {} : { threads: settings.threads }),
  })
  closers.push(() => engine.close())
  const catalog = await openCatalog({ clock, random: systemRandom, environment: options.variables, store, warehouse }, options.lake)
  const lake = openLake({
    disk: nodeDisk,
    clock,
    random: systemRandom,
    catalog,
    ...warehouse,
    locations: settings.lakeLocations,
    namesIn: fileNames(engine),
  })
  const parser = await openParser(engine)
  closers.push(() => parser.close())
  const relations = new RelationStore(engine, lake)
  await deployTables(lake, manifest)
  await openRelations(log, catalog, relations, manifest)
  await recordDeployed(store, manifest, options.code, options.environment)

  const history = storeHistory(store)
  const checks = storeCheckHistory(store, clock, systemRandom)
  const audit = openAudit(store, clock)
  const tokens = openTokens(store, clock, systemRandom)
  const system = { clock, store, lake, log, history, checks, manifest: () => manifest }
  const guard = await openGuard({
    engine,
    parser,
    manifest: () => manifest,
    maskKey: secretOf(directory.path, 'mask'),
    systemRelation: (name, identity) => identity.isAdmin && isSystemRelation(name),
    resolve: (relation, at, read) =>
      relation.startsWith('millrace.')
        ? resolveSystem(system, relation.slice('millrace.'.length))
        : relations.pin(relation, { ...read, ...(at ? { at } : {}) }),
  })
  closers.push(() => guard.close())
  const provider = jwtSettings(options.variables)
  const jwt = provider && openJwt(provider, clock)
  const answerer = makeAnswerer({
    jwt,
    clock,
    engine,
    guard,
    tokens,
    audit,
    relations,
    settings,
    manifest: () => manifest,
    isOpen: options.isOpen,
    explain: (snapshots, error) => explainRead({ lake, engine }, snapshots, error),
    onQuery: metrics.queried,
  })

  let triggers: Triggers | null = null
  const alerts = new Alerts({
    clock,
    store,
    manifest,
    engine,
    relations,
    text: (text) => resolveText(options.variables, text),
    signingKey: options.variables['MILLRACE_SIGNING_KEY'],
    onError: (message, error) => logger.error(message, error),
  })
  const committed = (table: string): void => {
    changed('relation', table)
    metrics.committed(table)
    triggers?.committed(table)
    for (const { name } of rechecked.get(table) ?? []) rechecks.committed(name)
    alerts.committed(table)
  }
  // Loads and refreshes run their checks before they publish; what flows in by itself is checked after its commits, and a
  // view after those of what it reads.
  const rechecked = Map.groupBy(
    manifest.relations
      .filter((relation) => !isAsset(relation) && manifest.checks.some((set) => set.on === relation.name))
      .flatMap(({ name }) => storedUnder(manifest, [name]).map((read) => ({ read, name }))),
    ({ read }) => read,
  )
  const onMaintained = (table: LakeTable): void => {
    relations.committed(table)
    committed(table.name)
  }
  const stepParts: StepParts = {
    clock,
    engine,
    lake,
    catalog,
    relations,
    checks,
    manifest: () => manifest,
    directory: options.directory,
    text: (text) => resolveText(options.variables, text),
    onCommitted: (table) => {
      onMaintained(table)
      alerts.stored(table)
    },
    onChecked: (relation, outcomes) => {
      for (const outcome of outcomes) metrics.checked(relation, outcome.check.name, outcome.status !== 'pass')
      alerts.checked(outcomes)
      changed('relation', relation)
    },
  }
  const runner = new Runner({
    clock,
    random: systemRandom,
    history,
    runStep: (asset, context) => runStep(stepParts, asset, context),
    concurrency: 2,
    onStep: (step) => {
      if (step.endedMs !== null && step.startedMs !== null) metrics.ran(step.relation, step.status, step.endedMs - step.startedMs)
      if (step.status === 'failed') logger.warn('a step failed', { step: step.name, error: step.error })
      if (step.status === 'failed' || step.status === 'succeeded') alerts.ran(step.relation, step.status, step.error?.message ?? null)
      changed('run', step.runId)
    },
    onRun: (run) => changed('run', run.id),
  })
  const rechecks = new Rechecks({
    clock,
    everyMs: 30_000,
    run: async (name) => void (await recheck(stepParts, manifest.relations.find((relation) => relation.name === name)!, null)),
    onError: (error) => logger.error('checks could not run', asMillraceError(error)),
  })
  await history.closeOpen(clock.nowMs())

  const figures = new Figures({ clock, series, log })
  const onEvent = (event: StreamEvent): void => {
    metrics.streamEvent(event)
    figures.event(event)
    alerts.streamed(event)
    if (event.kind === 'failed')
      logger.error('a pipeline starts again from its last commit', event.error, { pipeline: event.pipeline, againMs: event.againMs })
    if (event.kind === 'flushed') for (const table of event.tables) committed(table)
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
  const checkpoints = openCheckpoints(warehouse.store, clock, systemRandom, warehouse.checkpoints)
  const pipelines: RunningPipeline[] = await makePipelines(
    { clock, random: systemRandom, log, lake, catalog, checkpoints, onEvent, relations, engine, parser, settings, hostOf },
    manifest,
  )
  figures.watch(pipelines)
  const flush = async (): Promise<void> => {
    // Streams that processors emit into have rows only after their inputs were read: as often as there are steps.
    for (let depth = 0; depth <= manifest.processors.length; depth++) await Promise.all(pipelines.map(({ pipeline }) => pipeline.flush()))
  }
  let isStarted = false
  closers.push(async () => void (await Promise.all(hosts.map((host) => host.close()))))
  closers.push(() => stopPipelines(pipelines))
  closers.push(() => (isStarted ? within(clock, LAST_FLUSH_MS, flush()) : undefined))
  closers.push(() => runner.stop(10_000))
  for (const { pipeline } of pipelines) pipeline.start()
  await Promise.all(pipelines.map(({ pipeline }) => pipeline.ready))

  const token = await administratorToken(tokens, directory.path)
  const startRun = async (request: {
    assets: readonly string[]
    checks: readonly string[]
    full: boolean
    by: string
  }): Promise<string | null> => {
    const all = assetsOf(manifest)
    const assets = chooseAssets(all, request.assets)
    for (const name of request.checks) {
      const relation = manifest.relations.find((candidate) => candidate.name === name)
      if (!relation) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no relation "${name}"`, { fix: 'see `millrace status`' })
      await recheck(stepParts, relation, null)
    }
    if (assets.length === 0) return null
    const name = assets.length === 1 ? assets[0]!.name : `${assets.length} assets`
    const started = await runner.start({ name, trigger: `by ${request.by}`, assets, full: request.full, code: options.code })
    return started.id
  }
  const storage = makeStorageActions({
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
    onChanged: (table, what) => (what === 'rows' ? onMaintained(table) : relations.committed(table)),
  })
  let isReady = false
  const http = await serveHttp({
    host: options.host,
    port: options.port,
    bodyBytesMax: settings.bodyBytesMax,
    doorThreads: settings.doorThreads,
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
          flush: async (table) =>
            void (await Promise.all(pipelines.flatMap(({ makes, pipeline }) => (makes === table ? [pipeline.flush()] : [])))),
          onCommitted: onMaintained,
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
      onCommitted: (table) => (relations.has(table.name) ? onMaintained(table) : metrics.committed(table.name)),
      record: (caller, action, object, outcome) => audit.record(caller, { action, object, outcome, detail: {} }),
      verifyToken: (token) => (jwt && isJwt(token) ? jwt(token) : tokens.verify(token)),
      isShared: warehouse.remote !== undefined,
      ...(warehouse.signer ? { signer: warehouse.signer } : {}),
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
      startRun,
      startBackfill: async (who, model) => {
        const live = pipelines.filter(({ sink }) => sink instanceof Live)
        const asked = live.find(({ makes }) => makes === model)
        if (!asked) {
          const isStored = assetsOf(manifest).some(({ name }) => name === model)
          const names = live.map(({ makes }) => makes).join(', ') || 'none'
          throw new MillraceError('MR_USAGE', `"${model}" is not a live model`, {
            fix: isStored ? `it is rebuilt by \`millrace run ${model} --full\`` : `the live models are: ${names}`,
          })
        }
        void asked.pipeline.startRebuild()
        await audit.record(who, { action: 'backfill', object: model, outcome: 'ok', detail: {} })
      },
      onChange: (listener) => bus.on((event) => listener(event.key)),
      tokens,
      storage,
      publish: async (who, tables, branch) => {
        const published = await publishBranch(stepParts, tables, branch)
        await audit.record(who, { action: 'publish', object: tables.join(', '), outcome: 'ok', detail: { branch } })
        return published
      },
      maintain: async (who, tables) => {
        const done = await maintenance.run(tables, who.user)
        await audit.record(who, { action: 'maintain', object: tables.join(', ') || '*', outcome: 'ok', detail: { run: done.runId } })
        return done
      },
      verifyAudit: () => audit.verify(),
    },
  })
  closers.push(() => http.close())
  tokens.onRevoked(http.forget)
  closers.push(() => rechecks.stop())
  figures.refresh(metrics)
  metrics.onScrape((gauges) => {
    if (warehouse.remote) gauges.cache(warehouse.remote.cache.figures)
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
    onCommitted: onMaintained,
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
    triggers = new Triggers(manifest, {
      clock,
      runner,
      code: () => options.code,
      onError: (error) => logger.error('a trigger failed', asMillraceError(error)),
    })
    closers.push(() => triggers?.stop())
    await triggers.start()
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
    token,
    flush,
    async stop() {
      isReady = false
      await closeAll(closers, (cause) => logger.error('a part did not stop in order', asMillraceError(cause)))
      logger.info('stopped')
    },
  }
}
