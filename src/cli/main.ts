// The command line: parsing and printing only. Every command is a function in its own file, loaded when it is called.
import { Command, CommanderError } from 'commander'
import { MillraceError } from '../core/errors.ts'
import type { CommandOptions } from './options.ts'
import { reportError } from './output.ts'

type Action<O> = (args: string[], options: O & CommandOptions) => Promise<number>

/** Adds the options that every command takes and turns errors into exit statuses. */
function define<O>(
  parent: Command,
  signature: string,
  summary: string,
  examples: readonly string[],
  load: () => Promise<Action<O>>,
): Command {
  const command = parent.command(signature).description(summary)
  command
    .option('--project <dir>', 'directory of the project', process.cwd())
    .option('--data <dir>', 'data directory (default: .millrace in the project)')
    .option('--json', 'print JSON')
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ millrace ${example}`).join('\n')}`)
  command.action(async (...parameters: unknown[]) => {
    const options = parameters.at(-2) as O & CommandOptions
    const args = parameters
      .slice(0, -2)
      .flat()
      .filter((arg) => arg !== undefined) as string[]
    try {
      process.exitCode = await (await load())(args, options)
    } catch (error) {
      process.exitCode = reportError(error, options.json ?? false)
    }
  })
  return command
}

function build(): Command {
  const program = new Command('millrace').description(
    'A complete data engineering system: streams, tables, models, checks, access, endpoints as one typed project.',
  )
  program.version('0.1.0').exitOverride()
  // Its own words for a misused command line have neither code nor fix: `misuse` says them.
  program.configureOutput({ outputError: () => {} })

  define(
    program,
    'init <dir>',
    'copies an example project',
    ['init shop --template shop', 'init mine --template empty'],
    async () => (await import('./init.ts')).init,
  ).option('--template <name>', 'shop, sensors, ledger or empty', 'shop')
  define(
    program,
    'dev',
    'runs the project on this machine and reloads it when its files change',
    ['dev', 'dev --project shop --port 0 --json', 'dev --open'],
    async () => (await import('./dev.ts')).dev,
  )
    .option('--port <n>', 'first port; 0 = any free', process.env['MILLRACE_PORT'] ?? '4100')
    .option('--open', 'accept requests without a token (loopback only)')
  define(
    program,
    'start',
    'runs the deployed project',
    ['start --env dev', 'start --port 8100'],
    async () => (await import('./dev.ts')).start,
  )
    .option('--env <name>', 'environment of the project', process.env['MILLRACE_ENV'] ?? 'dev')
    .option('--port <n>', 'first port; 0 = any free', process.env['MILLRACE_PORT'] ?? '4100')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--behind-tls', 'something in front ends TLS')
  define(
    program,
    'check',
    'checks the project and writes millrace-env.d.ts',
    ['check', 'check --project shop --json', 'check --flink views_per_minute'],
    async () => (await import('./plan.ts')).check,
  ).option('--flink <model>', 'print this live model as Flink SQL')
  define(
    program,
    'plan',
    'shows what applying the project would change',
    ['plan', 'plan --json'],
    async () => (await import('./plan.ts')).plan,
  ).option('--env <name>', 'environment of the project', process.env['MILLRACE_ENV'] ?? 'dev')
  define(
    program,
    'apply',
    'applies the project: creates and changes tables',
    ['apply', 'apply --yes'],
    async () => (await import('./plan.ts')).apply,
  ).option('--yes', 'do not ask')
  define(
    program,
    'run <assets...>',
    'loads or refreshes assets now',
    ['run daily_revenue', 'run products daily_revenue --full'],
    async () => (await import('./run.ts')).run,
  ).option('--full', 'rebuild instead of what changed')
  define(
    program,
    'backfill <model>',
    'computes a model again: a live one from the history of its streams, or chosen intervals; what it has is shown until that is done',
    [
      'backfill views_per_minute',
      'backfill views_per_minute --from 2026-03-01 --to 2026-04-01',
      'backfill daily_revenue --from 2026-03-01 --only-missing --dry-run',
    ],
    async () => (await import('./backfill.ts')).backfill,
  )
    .option('--from <time>', 'intervals from here on, UTC: 2026-03-01 or 2026-03-01T12:00:00')
    .option('--to <time>', 'intervals before this')
    .option('--only-missing', 'only intervals of which there is no row')
    .option('--dry-run', 'say what it comes to, and change nothing')
  define(
    program,
    'query <sql>',
    'asks a question, or changes rows of a table',
    [
      'query "SELECT * FROM daily_revenue LIMIT 5"',
      'query "FROM orders" --as analyst --attr country=France --format csv',
      `query "UPDATE stock SET amount = amount - 1 WHERE product = 'a'" --dry-run`,
    ],
    async () => (await import('./query.ts')).query,
  )
    .option('--as <role>', 'ask as this role')
    .option('--attr <name=value>', 'attribute of the role', (value: string, all: string[]) => [...all, value], [] as string[])
    .option('--format <format>', 'table, json or csv', 'table')
    .option('--dry-run', 'of a statement that changes rows: say how many, and change nothing')
  define(
    program,
    'status',
    'shows relations, their age and what needs attention',
    ['status', 'status --json'],
    async () => (await import('./status.ts')).status,
  )
  define(program, 'logs', 'shows the last runs and their logs', ['logs', 'logs --json'], async () => (await import('./status.ts')).logs)
  const token = program.command('token').description('creates, lists and revokes tokens')
  token.addHelpText('after', '\nExamples:\n  $ millrace token create ann --role analyst --attr country=France\n  $ millrace token list')
  define(
    token,
    'create <user>',
    'creates a token and prints it once',
    ['token create ann --role analyst --attr country=France'],
    async () => (await import('./token.ts')).create,
  )
    .option('--role <name>', 'role of the token', (value: string, all: string[]) => [...all, value], [] as string[])
    .option('--attr <name=value>', 'attribute of the roles', (value: string, all: string[]) => [...all, value], [] as string[])
    .option('--expires <duration>', "how long it is valid, like '30 days'")
  define(token, 'list', 'lists tokens', ['token list'], async () => (await import('./token.ts')).list)
  define(token, 'revoke <id>', 'revokes a token', ['token revoke 0190...'], async () => (await import('./token.ts')).revoke)
  const keys = program.command('keys').description('makes master keys, lists data keys and turns the master key')
  keys.addHelpText('after', '\nExamples:\n  $ millrace keys create /etc/millrace/master.keys\n  $ millrace keys rotate')
  define(
    keys,
    'create <file>',
    'puts a new master key first in a file, which is made when it is missing',
    ['keys create /etc/millrace/master.keys'],
    async () => (await import('./keys.ts')).create,
  )
  define(keys, 'list', 'lists data keys', ['keys list', 'keys list --json'], async () => (await import('./keys.ts')).list)
  define(
    keys,
    'rotate',
    'wraps all data keys with the first master key and begins new ones; only while no server runs',
    ['keys rotate', 'keys rotate --json'],
    async () => (await import('./keys.ts')).rotate,
  )
  const tag = program.command('tag').description('names snapshots of a relation, lists and removes names')
  tag.addHelpText('after', '\nExamples:\n  $ millrace tag create orders close-2026\n  $ millrace tag list orders')
  define(
    tag,
    'create <relation> <tag>',
    'names the current snapshot, or another one; it does not expire while it has the name',
    ['tag create orders close-2026', "tag create orders before-import --snapshot 4184929 --keep '90 days'"],
    async () => (await import('./tag.ts')).create,
  )
    .option('--snapshot <id>', 'the snapshot, by its id or another tag (default: the current one)')
    .option('--keep <duration>', "how long the tag is kept, like '90 days', counted from its snapshot")
  define(tag, 'list <relation>', 'lists names of snapshots', ['tag list orders'], async () => (await import('./tag.ts')).list)
  define(tag, 'remove <relation> <tag>', 'removes a name', ['tag remove orders close-2026'], async () => (await import('./tag.ts')).remove)
  const branch = program.command('branch').description('makes and removes branches of a table')
  branch.addHelpText('after', '\nExamples:\n  $ millrace branch create orders audit\n  $ millrace publish orders --branch audit')
  define(
    branch,
    'create <relation> <branch>',
    'makes a branch from the current snapshot, or another one',
    ['branch create orders audit', "branch create orders trial --keep '7 days' --min-snapshots 3"],
    async () => (await import('./branch.ts')).create,
  )
    .option('--snapshot <id>', 'the snapshot, by its id or a tag (default: the current one)')
    .option('--keep <duration>', "how long the branch is kept, like '7 days', counted from its newest snapshot")
    .option('--min-snapshots <n>', 'snapshots of it that stay whatever their age')
    .option('--keep-snapshots <duration>', "age from which others of it expire, like '2 days'")
  define(branch, 'list <relation>', 'lists names of snapshots', ['branch list orders'], async () => (await import('./tag.ts')).list)
  define(
    branch,
    'remove <relation> <branch>',
    'removes a branch',
    ['branch remove orders audit'],
    async () => (await import('./branch.ts')).remove,
  )
  define(
    program,
    'publish <tables...>',
    'checks what a branch has and makes it what everybody reads, of all these tables at once or of none',
    ['publish orders --branch audit', 'publish orders customers --branch import-7 --json'],
    async () => (await import('./branch.ts')).publish,
  ).requiredOption('--branch <name>', 'the branch that was written to')
  define(
    program,
    'restore <relation>',
    'goes back to an earlier snapshot of a table',
    ['restore orders --to 4184929', 'restore orders --to close-2026 --json'],
    async () => (await import('./restore.ts')).restore,
  ).requiredOption('--to <snapshot>', 'id or tag of the snapshot')
  define(
    program,
    'relocate',
    'brings all tables and views to where the project has its lake now; only while no server runs',
    ['relocate --dry-run', 'relocate --remove-old', 'relocate --in-place'],
    async () => (await import('./relocate.ts')).relocate,
  )
    .option('--in-place', 'the files were copied already: only what holds their old paths is written anew')
    .option(
      '--from <place>',
      'the place of before (default: the one that has tables; with --in-place where the data directory was when it was last used)',
    )
    .option('--to <place>', 'with --in-place the place of now (default: the data directory)')
    .option('--remove-old', 'removes the files of the old place at once')
    .option('--dry-run', 'says how many files and bytes it is, and changes nothing')
  define(
    program,
    'maintain [tables...]',
    'joins small files, expires snapshots and does what else maintenance does by itself, now; says what it saved',
    ['maintain', 'maintain orders --json'],
    async () => (await import('./maintain.ts')).maintain,
  )
  define(
    program,
    'verify',
    'checks that the audit trail is unbroken, every file is there and whole, and every table can be read',
    ['verify', 'verify --json'],
    async () => (await import('./verify.ts')).verify,
  )
  define(
    program,
    'doctor',
    'looks at the machine, the data directory and the project',
    ['doctor', 'doctor --json'],
    async () => (await import('./doctor.ts')).doctor,
  )
  return program
}

/** An error of the parser, in the words of ours. */
function misuse(error: CommanderError): number {
  // Help that was asked for, or that stands in for a missing command, is printed already.
  if (error.exitCode === 0 || error.code === 'commander.help') return error.exitCode === 0 ? 0 : 2
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const asked = process.argv[2]
  const command =
    asked !== undefined && /^[a-z]+$/.test(asked) && error.code !== 'commander.unknownCommand' ? `millrace ${asked}` : 'millrace'
  const fix = [...more.map((line) => line.replace(/^\(|\)$/g, '')), `\`${command} --help\` says what is possible`].join('; ')
  return reportError(new MillraceError('MR_USAGE', first, { fix }), process.argv.includes('--json'))
}

try {
  await build().parseAsync(process.argv)
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = misuse(error)
}
