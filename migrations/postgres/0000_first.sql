CREATE TABLE "backscroll_conversations" (
	"user_id" text NOT NULL,
	"id" text NOT NULL,
	"encoding" text NOT NULL,
	"framing" text NOT NULL,
	"last_position" bigint NOT NULL,
	"newest_position" bigint NOT NULL,
	"turn_count" integer NOT NULL,
	"total_tokens" bigint NOT NULL,
	"newest_saving" integer NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"metadata" text,
	CONSTRAINT "backscroll_conversations_user_id_id_pk" PRIMARY KEY("user_id","id")
);
--> statement-breakpoint
CREATE TABLE "backscroll_migrations" (
	"name" text PRIMARY KEY NOT NULL,
	"applied_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "backscroll_turns" (
	"user_id" text NOT NULL,
	"conversation_id" text NOT NULL,
	"position" bigint NOT NULL,
	"token_count" integer NOT NULL,
	"closing_token_count" integer NOT NULL,
	"cumulative_tokens" bigint NOT NULL,
	"messages" text NOT NULL,
	"idempotency_key" text,
	"created_at" timestamp with time zone NOT NULL,
	"metadata" text,
	CONSTRAINT "backscroll_turns_user_id_conversation_id_position_pk" PRIMARY KEY("user_id","conversation_id","position"),
	CONSTRAINT "backscroll_turns_idempotency_key" UNIQUE("user_id","conversation_id","idempotency_key"),
	CONSTRAINT "backscroll_turns_counts_positive" CHECK (token_count > 0 and closing_token_count > 0)
);
--> statement-breakpoint
ALTER TABLE "backscroll_turns" ADD CONSTRAINT "backscroll_turns_conversation" FOREIGN KEY ("user_id","conversation_id") REFERENCES "backscroll_conversations"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "backscroll_turns_cumulative_tokens" ON "backscroll_turns" USING btree ("user_id","conversation_id","cumulative_tokens","position");
