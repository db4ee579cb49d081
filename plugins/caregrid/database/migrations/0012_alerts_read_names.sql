-- An alert in Chinese names a hospital as the registries write it in Chinese; of a description it reads nothing else.
grant select (load_id, place_id, known_at, name, name_local) on canonical.facility to caregrid_action;
