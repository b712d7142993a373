/**
 * The controller of a backup group (controller-api.md 5).
 *
 *     using walbc = new Controller('walbc', new ServerLayout([s0], [p0], [a0]));
 *     await walbc.init_storage(s0, 'vol', '/dev/walb/0');
 *     const gid = await walbc.full_backup(s0, 'vol');
 *     await walbc.restore(a0, 'vol', gid);
 *
 * Every method returns a promise; in the shell the same calls block and return plain values. gids are
 * bigint, counts and sizes numbers. null stands for None. Failures are WalbError.
 */
import { HealthMethods } from './health.ts';

export class Controller extends HealthMethods {}
