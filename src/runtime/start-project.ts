// From a directory to a running node: load the project, compile it, refuse it with all findings when it is wrong, start it.
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { LakeSettings } from '../define/lake.ts'
import type { Manifest } from '../define/manifest.ts'
import type { Project } from '../define/project.ts'
import { compile } from '../plan/compile.ts'
import type { Finding } from '../plan/finding.ts'
import { openBinder } from '../plan/open-binder.ts'
import { mustBePossible, plan } from '../plan/plan.ts'
import { loadProject } from './load.ts'
import { type RunningNode, startNode } from './node.ts'
import { fingerprintOf } from './project-code.ts'
import { readSettings } from './settings.ts'
import { workerHost } from './worker-host.ts'

export interface CompiledProject {
  readonly manifest: Manifest
  readonly findings: readonly Finding[]
  readonly ok: boolean
  readonly project: Project
  readonly files: readonly string[]
  readonly directory: string
  /** Fingerprint of the project's files. */
  readonly code: string
}

/** Loads and compiles; findings are answered, not thrown. @throws MR_LOAD_*. */
export async function compileProject(directory: string): Promise<CompiledProject> {
  const loaded = await loadProject(directory)
  const binder = await openBinder()
  try {
    const compiled = await compile(loaded.project, binder, { root: loaded.directory, exported: loaded.exported })
    return {
      ...compiled,
      project: loaded.project,
      files: loaded.files,
      directory: loaded.directory,
      code: fingerprintOf(loaded.files),
    }
  } finally {
    binder.close()
  }
}

/** @throws MR_LOAD_PROJECT naming every error, when there are any. */
export function mustBeSound({ findings, ok }: Pick<CompiledProject, 'findings' | 'ok'>): void {
  if (ok) return
  const errors = findings.filter((finding) => finding.severity === 'error')
  const lines = errors.map((finding) => `${finding.code}  ${finding.at}  ${finding.message}\n    fix: ${finding.fix}`)
  throw new MillraceError(
    'MR_LOAD_PROJECT',
    `the project has ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}\n  ${lines.join('\n  ')}`,
    { fix: 'mend them; `millrace check` shows them again' },
  )
}

/** The lake that an environment of the project chose, if any. */
export function lakeOf({ $environments }: Project, environment: string): { readonly lake?: LakeSettings } {
  const lake = Object.hasOwn($environments, environment) ? $environments[environment]!.lake : undefined
  return lake ? { lake } : {}
}

export interface StartProject {
  readonly directory: string
  readonly data: string
  readonly environment: string
  readonly host: string
  readonly port: number
  readonly isOpen: boolean
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly schedule?: boolean
}

export interface RunningProject {
  readonly node: RunningNode
  readonly manifest: Manifest
  /** Warnings. */
  readonly findings: readonly Finding[]
  readonly files: readonly string[]
  /** Whether the project as it is on disk now would start in place of this. @throws MR_LOAD_*, MR_PLAN_STATE. */
  check(): Promise<void>
}

export async function startProject(options: StartProject): Promise<RunningProject> {
  const compiled = await compileProject(options.directory)
  mustBeSound(compiled)
  if (!Object.hasOwn(compiled.project.$environments, options.environment)) {
    throw new MillraceError('MR_ENVIRONMENT', `the project has no environment "${options.environment}"`, {
      fix: `environments: ${Object.keys(compiled.project.$environments).join(', ')}`,
    })
  }
  const settings = readSettings(options.variables)
  const node = await startNode({
    manifest: compiled.manifest,
    hostOf: (processor, input, outputs) =>
      workerHost({
        clock: systemClock,
        directory: compiled.directory,
        code: compiled.code,
        processor,
        input,
        outputs,
        stateBytes: settings.stateBytes,
        spillDirectory: join(options.data, 'temp', 'state', processor.name),
      }),
    directory: compiled.directory,
    data: options.data,
    environment: options.environment,
    ...lakeOf(compiled.project, options.environment),
    code: compiled.code,
    variables: options.variables,
    settings,
    clock: systemClock,
    host: options.host,
    port: options.port,
    isOpen: options.isOpen,
    schedule: options.schedule ?? true,
  })
  return {
    node,
    manifest: compiled.manifest,
    findings: compiled.findings,
    files: compiled.files,
    check: async () => {
      const next = await compileProject(options.directory)
      mustBeSound(next)
      mustBePossible(plan(compiled.manifest, next.manifest))
    },
  }
}
