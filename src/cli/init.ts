// `millrace init`: copies an example project.
import { cpSync, existsSync, readdirSync } from 'node:fs'
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
  output.data({ directory: to, template: options.template })
  output.line(`made ${to}\n\n  cd ${directory}\n  npx millrace dev`)
  return 0
}
