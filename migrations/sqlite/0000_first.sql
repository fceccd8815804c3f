CREATE TABLE `backscroll_conversations` (
	`user_id` text NOT NULL,
	`id` text NOT NULL,
	`encoding` text NOT NULL,
	`framing` text NOT NULL,
	`last_position` integer NOT NULL,
	`newest_position` integer NOT NULL,
	`turn_count` integer NOT NULL,
	`total_tokens` integer NOT NULL,
	`newest_saving` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`metadata` text,
	PRIMARY KEY(`user_id`, `id`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `backscroll_migrations` (
	`name` text PRIMARY KEY NOT NULL,
	`applied_at` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `backscroll_turns` (
	`user_id` text NOT NULL,
	`conversation_id` text NOT NULL,
	`position` integer NOT NULL,
	`token_count` integer NOT NULL,
	`closing_token_count` integer NOT NULL,
	`cumulative_tokens` integer NOT NULL,
	`messages` text NOT NULL,
	`idempotency_key` text,
	`created_at` integer NOT NULL,
	`metadata` text,
	PRIMARY KEY(`user_id`, `conversation_id`, `position`),
	FOREIGN KEY (`user_id`,`conversation_id`) REFERENCES `backscroll_conversations`(`user_id`,`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "backscroll_turns_counts_positive" CHECK(token_count > 0 and closing_token_count > 0)
) STRICT;
--> statement-breakpoint
CREATE INDEX `backscroll_turns_cumulative_tokens` ON `backscroll_turns` (`user_id`,`conversation_id`,`cumulative_tokens`,`position`);--> statement-breakpoint
CREATE UNIQUE INDEX `backscroll_turns_idempotency_key` ON `backscroll_turns` (`user_id`,`conversation_id`,`idempotency_key`);
