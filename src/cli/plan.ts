// `millrace check`, `plan` and `apply`: the walk from definitions to steps, stopped early.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { printEnv } from '../plan/env.ts'
import { mustBePossible, plan as planOf, printPlan } from '../plan/plan.ts'
import { applyManifest, readDeployed } from '../runtime/apply.ts'
import { flinkText } from '../runtime/flink-text.ts'
import { compileProject, lakeOf, mustBeSound } from '../runtime/start-project.ts'
import { type CommandOptions, dataOf, projectOf } from './options.ts'
import { openOutput, paint } from './output.ts'

export async function check(_: string[], options: CommandOptions & { readonly flink?: string }): Promise<number> {
  const output = openOutput(options)
  const compiled = await compileProject(projectOf(options))
  if (options.flink !== undefined) {
    mustBeSound(compiled)
    const text = await flinkText(compiled.manifest, options.flink)
    output.data({ model: options.flink, ...text })
    output.line([...text.tables, text.query].map((statement) => `${statement};`).join('\n\n'))
    return 0
  }
  for (const finding of compiled.findings) {
    output.line(
      `${paint(finding.severity === 'error' ? 'red' : 'yellow', finding.code)}  ${finding.at}  ${finding.message}\n  fix: ${finding.fix}`,
    )
  }
  if (compiled.ok) writeEnv(compiled.directory, compiled.manifest)
  const errors = compiled.findings.filter((finding) => finding.severity === 'error').length
  const computed = computedBy(compiled.manifest)
  const { ok, findings } = compiled
  output.data({ ok, findings, ...(computed.length > 0 ? { computed: Object.fromEntries(computed) } : {}) })
  const { relations, sinks = [] } = compiled.manifest
  const flows = sinks.length === 0 ? '' : `, ${sinks.length} ${sinks.length === 1 ? 'sink' : 'sinks'}`
  output.line(compiled.ok ? `${relations.length} relations${flows}, no errors` : `${errors} ${errors === 1 ? 'error' : 'errors'}`)
  for (const [model, expressions] of computed) output.line(`${model}: DuckDB computes for each batch: ${expressions.join(', ')}`)
  return compiled.ok ? 0 : 1
}

/** Of live models: what the stream engine has no code for. */
const computedBy = ({ relations }: Manifest): (readonly [model: string, expressions: readonly string[]])[] =>
  relations.flatMap((relation) => (relation.kind === 'model' && relation.computed ? [[relation.name, relation.computed] as const] : []))

/** Row types for the editor; written only when they changed. */
export function writeEnv(directory: string, manifest: Manifest): void {
  const path = join(directory, 'millrace-env.d.ts')
  const text = printEnv(manifest)
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text)
}

export async function plan(_: string[], options: CommandOptions & { readonly env: string }): Promise<number> {
  const output = openOutput(options)
  const compiled = await compileProject(projectOf(options))
  mustBeSound(compiled)
  const steps = planOf(await readDeployed(dataOf(options)), compiled.manifest)
  output.data(steps)
  output.line(printPlan(steps))
  return steps.refused.length > 0 ? 1 : 0
}

export async function apply(_: string[], options: CommandOptions & { readonly yes?: boolean }): Promise<number> {
  const output = openOutput(options)
  const compiled = await compileProject(projectOf(options))
  mustBeSound(compiled)
  writeEnv(compiled.directory, compiled.manifest)
  const steps = planOf(await readDeployed(dataOf(options)), compiled.manifest)
  output.line(printPlan(steps))
  mustBePossible(steps)
  if (steps.steps.length === 0) {
    output.data({ applied: 0 })
    return 0
  }
  if (!options.yes && !(await isConfirmed(output.json))) return 1
  await applyManifest(dataOf(options), { ...compiled, ...lakeOf(compiled.project, process.env['MILLRACE_ENV'] ?? 'dev') })
  output.data({ applied: steps.steps.length })
  output.line(`applied ${steps.steps.length} ${steps.steps.length === 1 ? 'step' : 'steps'}`)
  return 0
}

async function isConfirmed(json: boolean): Promise<boolean> {
  if (json || !process.stdin.isTTY)
    throw new MillraceError('MR_USAGE', 'apply asks before it changes anything', { fix: 'say --yes when nobody can answer' })
  const { confirm, isCancel } = await import('@clack/prompts')
  const answer = await confirm({ message: 'Apply?' })
  return !isCancel(answer) && answer
}
