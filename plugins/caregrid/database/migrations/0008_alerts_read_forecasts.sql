-- Alerts look at forecasts and risks where models wrote them, before any build has served them.

grant usage on schema model_output to caregrid_action;
grant select on model_output.run, model_output.forecast, model_output.risk to caregrid_action;
