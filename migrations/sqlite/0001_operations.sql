CREATE TABLE `backscroll_operations` (
	`user_id` text NOT NULL,
	`conversation_id` text NOT NULL,
	`id` text NOT NULL,
	`position` integer NOT NULL,
	`fingerprint` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `conversation_id`, `id`),
	FOREIGN KEY (`user_id`,`conversation_id`) REFERENCES `backscroll_conversations`(`user_id`,`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
DROP INDEX `backscroll_turns_idempotency_key`;--> statement-breakpoint
CREATE UNIQUE INDEX `backscroll_turns_idempotency_key` ON `backscroll_turns` (`user_id`,`conversation_id`,`idempotency_key`) WHERE idempotency_key is not null;--> statement-breakpoint
CREATE INDEX `backscroll_operations_position` ON `backscroll_operations` (`user_id`,`conversation_id`,`position`);