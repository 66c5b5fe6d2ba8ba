// `millrace init`: copies an example project, and makes it a package of its own.
import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/errors.ts'
import type { CommandOptions } from './options.ts'
import { openOutput } from './output.ts'

const examples = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'examples')

export async function init([directory]: string[], options: CommandOptions & { readonly template: string }): Promise<number> {
  const output = openOutput(options)
  const from = join(examples, options.template)
  const names = readdirSync(examples)
  if (!names.includes(options.template))
    throw new MillraceError('MR_USAGE', `there is no template "${options.template}"`, { fix: `use one of ${names.join(', ')}` })
  const to = resolve(directory!)
  if (existsSync(to) && readdirSync(to).length > 0)
    throw new MillraceError('MR_USAGE', `${to} is not empty`, { fix: 'name a new directory' })
  cpSync(from, to, { recursive: true, filter: (path) => !/\/(node_modules|\.millrace)(\/|$)/.test(path.slice(from.length)) })
  writePackage(to)
  output.data({ directory: to, template: options.template })
  output.line(`made ${to}\n\n  cd ${directory}\n  npx millrace dev`)
  return 0
}

/** In the repository the examples are modules by its package.json; a copy needs its own. */
function writePackage(directory: string): void {
  const path = join(directory, 'package.json')
  if (!existsSync(path)) writeFileSync(path, `${JSON.stringify({ private: true, type: 'module' }, null, 2)}\n`)
}
